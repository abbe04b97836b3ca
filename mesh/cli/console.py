"""How the command prints for people: results on stdout, tables without frames, words as they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 200  # a pipe or a file has no width of its own, and 80 would cut the tables


def stdout() -> Console:
    """The console for results."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def print_line(console: Console, line: str) -> None:
    """Prints `line` as it is: no markup, no colours, no breaks."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def table(left: Sequence[str], right: Sequence[str] = ()) -> Table:
    """A table with the columns `left`, words, and `right`, numbers."""
    found = Table(box=None, header_style="bold", pad_edge=False)
    for name in left:
        found.add_column(name)
    for name in right:
        found.add_column(name, justify="right")
    return found
