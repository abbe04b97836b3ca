"""Progress bar of a command that works through many rows."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn


def row_progress() -> Progress:
    """Returns a bar on stderr with the rows and their speed; it shows nothing if stderr is not a terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
