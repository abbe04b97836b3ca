"""The reference of a version: the distributions of its features and scores in the training, as a small JSON file.

docs/drift.md describes the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from mesh.category_lists import Category

FORMAT = 1
MAX_BYTES = 8 * 2**20  # a supervisor reads it on a thread, and holds it in memory
MAX_COUNT = 2**53  # FP64 has all whole numbers up to this one
NAME = "reference.json"


class BadReference(Exception):
    """A reference that cannot be used; the text is a sentence with the cause and the fix."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The rows of the training by bin.

    A number has `edges` and one bin more than edges (`mesh.drift.bins`). A category has `categories`, each with a bin,
    and a last bin for the other known values. `missing` rows had no value, and `unseen` ones a value that no model of
    the version knows. `mean` and `deviation` are those of a score, 0 for a feature.
    """

    counts: tuple[int, ...]
    missing: int
    edges: tuple[float, ...] = ()
    categories: tuple[Category, ...] | None = None
    unseen: int = 0
    mean: float = 0.0
    deviation: float = 0.0

    @property
    def present(self) -> int:
        """The rows with a known value."""
        return sum(self.counts)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.present + self.missing + self.unseen


@dataclass(frozen=True, slots=True)
class Reference:
    """The distributions of `rows` rows of the training: features and scores by name.

    `models` has the SHA-256 of each model file that gave the scores. `disagreement` is None if fewer than two models
    have scores.
    """

    rows: int
    features: Mapping[str, Distribution]
    scores: Mapping[str, Distribution]
    models: Mapping[str, str]
    disagreement: Distribution | None


def encode(reference: Reference) -> bytes:
    """Returns the content of the file."""
    one = reference.disagreement
    content = {
        "reference": FORMAT,
        "rows": reference.rows,
        "features": {name: _as_json(one) for name, one in reference.features.items()},
        "scores": {
            name: {"sha256": reference.models[name], **_as_json(one, of_score=True)}
            for name, one in reference.scores.items()
        },
        "disagreement": None if one is None else _as_json(one, of_score=True),
    }
    # One line for each distribution, so that a difference between two files is readable.
    return (json.dumps(content, ensure_ascii=False, allow_nan=False).replace("}, ", "},\n ") + "\n").encode()


def decode(data: bytes) -> Reference:
    """Returns the reference of a file; raises `BadReference` if it is not one."""
    if len(data) > MAX_BYTES:
        raise BadReference(f"has {len(data):,} bytes, and the limit is {MAX_BYTES:,}; name fewer features")
    try:
        values = json.loads(data)
        if not isinstance(values, dict) or "reference" not in values:
            raise BadReference("is not a reference; make it with `mesh drift reference`")
        if values["reference"] != FORMAT:
            problem = f"has the format {values['reference']}, and this program reads {FORMAT}"
            raise BadReference(f"{problem}; make it again, or update the program")
        disagreement = values["disagreement"]
        found = Reference(
            rows=_count(values["rows"]),
            features={str(name): _distribution(one) for name, one in values["features"].items()},
            scores={str(name): _distribution(one) for name, one in values["scores"].items()},
            models={str(name): str(one["sha256"]) for name, one in values["scores"].items()},
            disagreement=None if disagreement is None else _distribution(disagreement),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise BadReference(f"is damaged ({' '.join(str(error).split())}); make it again") from error
    if not found.features and not found.scores:
        raise BadReference("has neither features nor scores; make it again, with rows that have the features")
    return found


def _as_json(one: Distribution, *, of_score: bool = False) -> dict[str, Any]:
    bins: dict[str, Any] = {"edges": one.edges} if one.categories is None else {"categories": one.categories}
    unseen = {} if one.categories is None else {"unseen": one.unseen}
    moments = {"mean": one.mean, "deviation": one.deviation} if of_score else {}
    return {**bins, "counts": one.counts, "missing": one.missing, **unseen, **moments}


def _distribution(raw: Mapping[str, Any]) -> Distribution:
    categories = None if "categories" not in raw else tuple(raw["categories"])
    one = Distribution(
        counts=tuple(_counts(raw["counts"])),
        missing=_count(raw["missing"]),
        edges=tuple(map(_finite, raw.get("edges", ()))),
        categories=categories,
        unseen=_count(raw.get("unseen", 0)),
        mean=_finite(raw.get("mean", 0.0)),
        deviation=_finite(raw.get("deviation", 0.0)),
    )
    bins = len(one.edges if categories is None else categories) + 1
    if len(one.counts) != bins:
        raise ValueError(f"{len(one.counts)} counts of {bins} bins")
    if any(first >= second for first, second in pairwise(one.edges)):
        raise ValueError("edges that do not grow")
    return one


def _counts(raw: Any) -> Iterator[int]:
    yield from (_count(one) for one in raw)


def _count(raw: Any) -> int:
    if type(raw) is not int or not 0 <= raw <= MAX_COUNT:
        raise ValueError(f"the count {raw!r}")
    return raw


def _finite(raw: Any) -> float:
    value = float(raw)
    if not isfinite(value):
        raise ValueError(f"the number {raw!r}")
    return value
