"""Finds the kind of each column of a player file (number, boolean or text) from all its cells, not from a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mesh.players.cells import NUMBER
from mesh.players.cells import Kind as Kind

Floats = npt.NDArray[np.float64]
Place = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a column: its row in the file and its text."""

    row: int
    text: str


@dataclass(slots=True)
class _ColumnState:
    first: dict[Kind, Cell] = field(default_factory=dict)
    infinite: Cell | None = None


class KindSurvey:
    """Collects the kinds of all columns, batch by batch; then `kinds` or `faults` has the result.

    A column in `declared` keeps its kind; all other columns must have strings.
    """

    def __init__(self, names: Sequence[str], declared: Mapping[str, Kind]) -> None:
        self._declared = declared
        self._seen = {name: _ColumnState() for name in names}

    def add(self, batch: pa.RecordBatch, first_row: int) -> None:
        """Adds `batch`, which starts at row `first_row` of the file."""
        for name, seen in self._seen.items():
            cells, declared = batch.column(name), self._declared.get(name)
            numbers = as_numbers(cells) if declared in (None, "number") else None
            if declared is None:
                for kind, row in kinds_in(cells, numbers).items():
                    seen.first.setdefault(kind, Cell(first_row + row, cells[row].as_py()))
            if numbers is not None and seen.infinite is None:
                seen.infinite = _infinite(cells, numbers, first_row)

    def kinds(self) -> dict[str, Kind]:
        """Returns the kind of every column; valid only if there are no `faults`. An empty column is a number column."""
        return {name: self._declared.get(name) or _kind(seen) for name, seen in self._seen.items()}

    def faults(self, place: Place) -> Iterator[str]:
        """Yields a fault for each column that mixes numbers with other kinds, or has an infinite number."""
        for name, seen in self._seen.items():
            if "number" in seen.first and len(seen.first) > 1:
                yield _mixture(name, seen, place)
            elif seen.infinite is not None:
                problem = f"column {name!r} is {seen.infinite.text}"
                yield f"{place(seen.infinite.row)}: {problem}; give a finite number, or leave it empty"


def kinds_in(cells: pa.Array, numbers: Floats | None) -> dict[Kind, int]:
    """Returns the kinds of the non-null strings, each with the position of its first cell.

    `numbers` is the result of `as_numbers` for the same cells. An empty text has no kind.
    """
    valid = pc.is_valid(_nonempty(cells))
    if not pc.any(valid).as_py():
        return {}
    if numbers is not None:
        return {"number": pc.index(valid, True).as_py()}
    plain = _plain(cells)
    words = pc.or_(pc.equal(plain, "true"), pc.equal(plain, "false"))
    numeric = pc.match_substring_regex(plain, NUMBER)
    texts = pc.and_not(pc.and_not(valid, words), numeric)
    masks: dict[Kind, pa.Array] = {"number": numeric, "boolean": words, "text": texts}
    first = {kind: pc.index(mask, True).as_py() for kind, mask in masks.items()}
    return {kind: row for kind, row in first.items() if row >= 0}


def as_numbers(cells: pa.Array) -> Floats | None:
    """Converts strings or numbers to float64, null and "" to NaN; returns None if another string is not a number."""
    try:
        return _floats(cells)
    except pa.ArrowInvalid:
        pass
    try:
        return _floats(_plain(_nonempty(cells)))
    except pa.ArrowInvalid:
        return None


def as_truths(cells: pa.Array) -> Floats:
    """Converts booleans, or the strings true and false in any case, to 1 and 0, and null and "" to NaN."""
    return _floats(cells if pa.types.is_boolean(cells.type) else pc.equal(_plain(_nonempty(cells)), "true"))


def _floats(cells: pa.Array) -> Floats:
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.uint8())
    floats: Floats = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return floats


def _nonempty(cells: pa.Array) -> pa.Array:
    """Returns strings with null in place of ""."""
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)


def _plain(cells: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_trim_whitespace(cells))


def _kind(seen: _ColumnState) -> Kind:
    return "text" if "text" in seen.first else "boolean" if "boolean" in seen.first else "number"


def _infinite(cells: pa.Array, numbers: Floats, first_row: int) -> Cell | None:
    infinite = np.isinf(numbers)
    row = int(infinite.argmax()) if infinite.any() else None
    return None if row is None else Cell(first_row + row, str(cells[row]))


def _mixture(name: str, seen: _ColumnState, place: Place) -> str:
    earlier, later = sorted(seen.first.values(), key=lambda cell: cell.row)[:2]
    problem = f"column {name!r} is {later.text!r}, but {earlier.text!r} at {place(earlier.row)}"
    return f"{place(later.row)}: {problem}; correct the cell, or load the column as text: --text {name}"
