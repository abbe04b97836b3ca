"""Tables as lines of text: columns of less importance are left out, and texts that are too long are cut.

rich's own tables would take most of the CPU of the view: they measure each cell several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from mesh.printable import one_line

CUT = "~"  # the last character of a text that is cut
_GAP = "  "


class Level(IntEnum):
    """How good a value is. Colours are never the only sign: a line that is not fine begins with its mark."""

    FINE = 0
    WARNING = 1
    PROBLEM = 2


MARKS = {Level.FINE: "  ", Level.WARNING: "* ", Level.PROBLEM: "! "}
STYLES = {Level.FINE: "", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its level."""

    text: str
    level: Level = Level.FINE


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Those with a higher `rank` get the room that the others leave; those of rank 0 are always shown."""

    name: str
    rank: int = 0
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """The lines of a table, the header first, and the names of the columns that had no room."""

    lines: list[Text]
    hidden: list[str]


def grid(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> Grid:
    """Returns the table of `rows`, one cell for each column, in at most `width` columns of the terminal."""
    cells = [[Cell(one_line(cell.text), cell.level) for cell in row] for row in rows]
    widths = [
        max(cell_len(column.name), *(cell_len(row[number].text) for row in cells)) if cells else cell_len(column.name)
        for number, column in enumerate(columns)
    ]
    shown = _fitting(columns, widths, width)
    _narrow(widths, shown, width)
    header = Text(MARKS[Level.FINE], "bold", no_wrap=True, end="")
    for one in shown:
        header.append(_padded(columns[one].name, widths[one], columns[one].is_number) + _GAP)
    lines = [header, *(_line(row, columns, widths, shown) for row in cells)]
    for line in lines:
        line.rstrip()
        line.truncate(max(0, width), overflow="crop")  # even the first column can have no room
    hidden = [column.name for number, column in enumerate(columns) if number not in shown]
    return Grid(lines, hidden)


def cut(text: str, width: int) -> str:
    """Returns `text` in at most `width` columns of the terminal; a text that is cut ends with `CUT`."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)) + CUT if width > 0 else ""


def marked(text: str, level: Level, width: int) -> Text:
    """Returns a line with the mark and the style of its level."""
    return Text(cut(f"{MARKS[level]}{one_line(text)}", width), STYLES[level], no_wrap=True, end="")


def _line(row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], shown: Sequence[int]) -> Text:
    level = max((cell.level for cell in row), default=Level.FINE)
    line = Text(no_wrap=True, end="")
    line.append(MARKS[level], STYLES[level])
    for one in shown:
        line.append(_padded(row[one].text, widths[one], columns[one].is_number), STYLES[row[one].level])
        line.append(_GAP)
    return line


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """The columns of rank 0, and of the others those that have room, the most important first."""
    shown = [number for number, column in enumerate(columns) if not column.rank]
    for number in sorted(range(len(columns)), key=lambda one: columns[one].rank):
        if columns[number].rank and _total(widths, [*shown, number]) <= width:
            shown.append(number)
    return sorted(shown)


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[one] + len(_GAP) for one in shown) + len(MARKS[Level.FINE]) - len(_GAP)


def _narrow(widths: list[int], shown: Sequence[int], width: int) -> None:
    """Takes room from the widest columns until all fit, one character at a time."""
    while _total(widths, shown) > width:
        widest = max(shown, key=lambda one: widths[one])
        if widths[widest] <= 1:
            return
        widths[widest] -= 1


def _padded(text: str, width: int, is_number: bool) -> str:
    shown = cut(text, width)
    room = " " * (width - cell_len(shown))
    return room + shown if is_number else shown + room
