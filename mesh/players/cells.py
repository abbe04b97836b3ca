"""The rules for the cells of CSV files of players and offers: which of them are numbers or booleans, and their values.

`mesh.players.loading.column_kinds` applies the same rules to columns of pyarrow, which supervisors do not have.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "boolean", "text"]

NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)$"  # of a trimmed text in lower case
_NUMBER = re.compile(NUMBER)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_EMPTY_TEXT = "\ufdd0"  # stands for a quoted empty cell; Unicode reserves it for uses inside a program


@dataclass(frozen=True, slots=True)
class CsvLine:
    """The cells of one row, and the line on which it starts. A cell without a value is None; `""` in quotes is "" ."""

    number: int
    cells: Sequence[str | None]


def read_csv(text: str) -> Iterator[CsvLine]:
    """Yields the rows of a CSV text, without blank lines; raises csv.Error."""
    reader = csv.reader(io.StringIO(_QUOTED.sub(_marked, text), newline=""))
    start = 1
    for cells in reader:
        if cells:
            yield CsvLine(start, ["" if cell == _EMPTY_TEXT else cell or None for cell in cells])
        start = reader.line_num + 1


def kind_of_cells(cells: Sequence[str | None]) -> Kind:
    """Returns the kind of a column that has all `cells`; a column without values is a number column."""
    kinds = {_kind(cell.strip().lower()) for cell in cells if cell}
    if len(kinds) > 1:
        return "text"
    return next(iter(kinds), "number")


def number_of(cell: str | None) -> float:
    """Returns the number in a cell of a number column or a boolean column; `math.nan` if it has no value."""
    plain = cell.strip().lower() if cell else "nan"
    number = float(plain == "true") if plain in ("true", "false") else float(plain)
    return math.nan if math.isnan(number) else number  # the same object each time, so that equal columns compare equal


def is_price(cell: str | None) -> bool:
    """Whether a cell is empty, or a finite number of at least 0."""
    if not cell:
        return True
    return _kind(cell.strip().lower()) == "number" and 0 <= number_of(cell) < math.inf


def _kind(plain: str) -> Kind:
    if plain in ("true", "false"):
        return "boolean"
    return "number" if _NUMBER.match(plain) else "text"


def _marked(quoted: re.Match[str]) -> str:
    """Marks a quoted empty cell, which the reader of Python does not keep apart from a cell without a value."""
    text, before, after = quoted.string, quoted.start() - 1, quoted.end()
    is_cell = (before < 0 or text[before] in ",\r\n") and (after == len(text) or text[after] in ",\r\n")
    return f'"{_EMPTY_TEXT}"' if quoted.group() == '""' and is_cell else quoted.group()
