"""Counts of live values: one array for all distributions of a reference, so that counts are added in one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.drift.reference import BadReference, Distribution, Reference

FEATURE, SCORE, DISAGREEMENT = "feature", "score", "disagreement"
Key = tuple[str, str]  # the kind of a distribution, and the name of the feature or the model
IntArray = NDArray[np.int64]


class Layout:
    """The places of the distributions of `reference` in an array of counts.

    Each distribution has its bins, then a place for missing values and one for unseen categories.
    """

    def __init__(self, reference: Reference) -> None:
        self.distributions: dict[Key, Distribution] = dict(_named(reference))
        self.keys = tuple(self.distributions)
        widths = [len(one.counts) + 2 for one in self.distributions.values()]
        self.starts: NDArray[np.intp] = np.cumsum([0, *widths], dtype=np.intp)
        self.size = int(self.starts[-1])
        self.start_of = dict(zip(self.keys, self.starts.tolist(), strict=False))

    def missing_of(self, key: Key) -> int:
        """Returns the place of missing values, counted from the first bin; that of unseen values follows."""
        return len(self.distributions[key].counts)

    @cached_property
    def reference_counts(self) -> IntArray:
        """The counts of the training [size]."""
        rows = [(*one.counts, one.missing, one.unseen) for one in self.distributions.values()]
        return np.array([count for row in rows for count in row], np.int64)

    @cached_property
    def is_bin(self) -> NDArray[np.bool_]:
        """Which places are bins [size], not those of missing and unseen values."""
        found = np.ones(self.size, bool)
        found[self.starts[1:] - 1] = False
        found[self.starts[1:] - 2] = False
        return found


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of `samples` requests [size of the layout], and the sums of the scores [distributions].

    The sum of a feature is 0.
    """

    samples: int
    places: IntArray
    sums: NDArray[np.float64]

    def plus(self, other: Counts) -> Counts:
        """Returns the counts of both."""
        return Counts(self.samples + other.samples, self.places + other.places, self.sums + other.sums)


def no_counts(layout: Layout) -> Counts:
    """Returns the counts of no request."""
    return Counts(0, np.zeros(layout.size, np.int64), np.zeros(len(layout.keys)))


def to_json(counts: Counts) -> dict[str, Any]:
    """Returns values for `json.dumps`."""
    return {"samples": counts.samples, "places": counts.places.tolist(), "sums": counts.sums.tolist()}


def from_json(raw: Mapping[str, Any], layout: Layout) -> Counts:
    """The inverse of `to_json`; raises `BadReference` if the counts are those of another reference."""
    counts = Counts(int(raw["samples"]), np.array(raw["places"], np.int64), np.array(raw["sums"], np.float64))
    if counts.places.shape != (layout.size,) or counts.sums.shape != (len(layout.keys),):
        raise BadReference("does not fit the counts; ask supervisors with the same reference")
    return counts


def _named(reference: Reference) -> Iterator[tuple[Key, Distribution]]:
    yield from (((FEATURE, name), one) for name, one in reference.features.items())
    yield from (((SCORE, name), one) for name, one in reference.scores.items())
    if reference.disagreement is not None:
        yield (DISAGREEMENT, ""), reference.disagreement
