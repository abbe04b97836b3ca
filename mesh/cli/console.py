"""Output for people: results on stdout, tables without borders, text without markup and control characters."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from mesh.printable import lines, one_line

_PIPE_WIDTH = 200  # rich assumes 80 columns for a pipe or a file, which would cut the tables


class PrintableConsole(Console):
    """A console that shows the control characters of texts as escapes; its own, such as colours, stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields the parts of the output. Those of a cell pass here before they get the width of their column."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(lines(segment.text), segment.style)


def stdout() -> Console:
    """The console for results. It prints names as they are: `[/x]` and `:x:` are legal in the id of an offer."""
    return PrintableConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False, emoji=False)


def print_line(console: Console, line: str) -> None:
    """Prints `line` as one line: without markup, colours or line breaks."""
    console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)


def count(number: int, one: str, many: str = "") -> str:
    """Returns the number with its noun: `1 trace`, `2,000 traces`; `many` is the plural if it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def table(left: Sequence[str], right: Sequence[str] = ()) -> Table:
    """Returns a table with left-aligned columns `left` for text and right-aligned columns `right` for numbers."""
    found = Table(box=None, header_style="bold", pad_edge=False)
    for name in left:
        found.add_column(name)
    for name in right:
        found.add_column(name, justify="right")
    return found
