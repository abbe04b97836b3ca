"""Golden rows: rows of one model file with the scores that they must have, as a text file beside the model.

The first line is a JSON object with the fields of `Golden` except its rows, the key `golden` with the version of the
format, and the number of rows. Each of the next lines is a row: the JSON list `[values, scores]`. The last line is the
SHA-256 of all lines before it. A number is written such that reading it gives the same bits of a float64.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, NamedTuple

from mesh.category_lists import Category, codes_of

SUFFIX = ".golden.jsonl"
FORMAT = 1
MAX_BYTES = 8 * 2**20  # a worker holds the whole file for a moment
Value = Category | None  # None: missing

_DAMAGED = "the file is damaged; publish the golden rows again"


class BadGolden(Exception):
    """Golden rows that cannot be used; the text is a sentence with the cause and the fix."""


class GoldenRow(NamedTuple):
    """The values of the features of one row, in their order, and the scores that it must have [classes]."""

    values: tuple[Value, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden rows of the model file with the digest `model_sha256`.

    A value of a column in `categories` is the category itself; a value of another column is a number. `tolerance` is
    the largest allowed difference from an expected score; 0 means that all bits are equal, except those of NaN.
    `scored_by` names the source of the scores, such as `LightGBM 4.6.0`.
    """

    model_sha256: str
    features: tuple[str, ...]
    categories: tuple[str, ...]
    classes: int
    tolerance: float
    scored_by: str
    rows: tuple[GoldenRow, ...]


class Difference(NamedTuple):
    """The first row with a wrong score; `row` counts from 1."""

    row: int
    expected: tuple[float, ...]
    got: tuple[float, ...]

    @property
    def scores(self) -> str:
        """The expected scores and the others."""
        return f"expected {_shown(self.expected)}, got {_shown(self.got)}"

    def __str__(self) -> str:
        return f"golden row {self.row}: {self.scores}"


def encode(golden: Golden) -> bytes:
    """Returns the content of the file."""
    head = {
        "golden": FORMAT,
        "model_sha256": golden.model_sha256,
        "features": golden.features,
        "categories": golden.categories,
        "classes": golden.classes,
        "tolerance": golden.tolerance,
        "scored_by": golden.scored_by,
        "rows": len(golden.rows),
    }
    lines = [json.dumps(line, ensure_ascii=False) for line in (head, *golden.rows)]
    content = "".join(f"{line}\n" for line in lines).encode()
    return content + f"{hashlib.sha256(content).hexdigest()}\n".encode()


def decode(data: bytes) -> Golden:
    """Returns the golden rows of a file; raises `BadGolden` if any byte of it is not as `encode` wrote it."""
    if len(data) > MAX_BYTES:
        raise BadGolden(f"the file has {len(data):,} bytes, and the limit is {MAX_BYTES:,}; keep fewer rows")
    if not data.startswith(b'{"golden": '):
        raise BadGolden("the file has no golden rows; make it with `mesh publish --golden`")
    content, digest = data[:-65], data[-65:]
    if digest != f"{hashlib.sha256(content).hexdigest()}\n".encode():
        raise BadGolden(f"the SHA-256 in its last line is not that of its content: {_DAMAGED}")
    try:
        head, *lines = [json.loads(line) for line in content.splitlines()]
    except ValueError as error:
        raise BadGolden(f"a line is not JSON: {_DAMAGED}") from error
    if head["golden"] != FORMAT:
        raise BadGolden(f"its format is {head['golden']}, and this program reads format {FORMAT}; update the program")
    return _golden(head, lines)


def _golden(head: Mapping[str, Any], lines: Sequence[Any]) -> Golden:
    try:
        golden = Golden(
            model_sha256=str(head["model_sha256"]),
            features=tuple(head["features"]),
            categories=tuple(head["categories"]),
            classes=int(head["classes"]),
            tolerance=float(head["tolerance"]),
            scored_by=str(head["scored_by"]),
            rows=tuple(GoldenRow(tuple(values), tuple(map(float, scores))) for values, scores in lines),
        )
        sizes = {(len(golden.features), golden.classes)}
        if len(lines) != head["rows"] or {(len(row.values), len(row.scores)) for row in golden.rows} != sizes:
            raise ValueError("a row has another size")
    except (KeyError, TypeError, ValueError) as error:
        raise BadGolden(f"{' '.join(str(error).split())}: {_DAMAGED}") from error
    return golden


def check_model(golden: Golden, sha256: str, features: Sequence[str], classes: int) -> None:
    """Raises `BadGolden` unless the rows belong to the model file with this digest, these features and classes."""
    if golden.model_sha256 != sha256:
        problem = f"the rows belong to the model file {golden.model_sha256[:12]}..., not to {sha256[:12]}..."
        raise BadGolden(f"{problem} (SHA-256); publish the golden rows of this model file")
    if golden.features != tuple(features) or golden.classes != classes:
        problem = f"the rows have {len(golden.features)} features and {golden.classes} classes"
        raise BadGolden(f"{problem}, but the model has {len(features)} and {classes}, or other names: {_DAMAGED}")


def rows_of(golden: Golden, categories: Mapping[str, Sequence[Category]]) -> bytes:
    """Returns the rows as a model sees them, float64 [rows, features], with the codes of `categories` by column.

    Raises `BadGolden` for a value that is not a number in a column without categories.
    """
    codes = [codes_of(categories[name]) if name in categories else None for name in golden.features]
    cells = array("d")
    for number, row in enumerate(golden.rows, 1):
        cells.extend(_cells(golden.features, codes, number, row.values))
    return cells.tobytes()


def _cells(
    features: Sequence[str], codes: Sequence[Mapping[object, float] | None], number: int, values: Sequence[Value]
) -> Iterator[float]:
    for name, known, value in zip(features, codes, values, strict=True):
        if value is None:
            yield nan
        elif known is not None:
            yield known.get(value, nan)
        elif isinstance(value, str):
            problem = f"row {number} has the text {value!r} for {name!r}, which has no categories in the model"
            raise BadGolden(f"{problem}; name the column in the model's `categories`, or publish numbers")
        else:
            yield float(value)


def expected_scores(golden: Golden) -> bytes:
    """Returns the scores that the rows must have, float64 [rows, classes]."""
    return array("d", [score for row in golden.rows for score in row.scores]).tobytes()


def find_difference(golden: Golden, scores: bytes) -> Difference | None:
    """Returns the first row whose `scores`, float64 [rows, classes], are not the expected ones; None if all are."""
    if scores == expected_scores(golden):
        return None
    got, size = array("d", scores), golden.classes
    return find_difference_of(golden, [got[start : start + size] for start in range(0, len(got), size)])


def find_difference_of(golden: Golden, scores: Sequence[Sequence[float]]) -> Difference | None:
    """The same for the scores of each row, [rows][classes]."""
    for number, (row, got) in enumerate(zip(golden.rows, scores, strict=True), 1):
        if not all(map(_is_near, row.scores, got, [golden.tolerance] * golden.classes)):
            return Difference(number, row.scores, tuple(got))
    return None


def _is_near(expected: float, got: float, tolerance: float) -> bool:
    if array("d", [expected]).tobytes() == array("d", [got]).tobytes() or (isnan(expected) and isnan(got)):
        return True
    return tolerance > 0 and abs(expected - got) <= tolerance


def _shown(scores: Sequence[float]) -> str:
    return repr(scores[0]) if len(scores) == 1 else repr(list(scores))
