"""Random rows on which two implementations of a forest could differ: values on and near thresholds, and far away."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from tests.forests import Matrix

_ZERO = float(np.float32(1e-35))  # the largest value that LightGBM treats as zero
_TINY = (0.0, 5e-324, 2.2250738585072014e-308, 1e-36, _ZERO, math.nextafter(_ZERO, 0), math.nextafter(_ZERO, 1))
_HUGE = (2.0**31 - 1, 2.0**31, 2.0**32, 2.0**63, 1e300, 1.7e308, math.inf)
_POSITIVE = (*_TINY, 0.5, 1.0, 2.0, 3.7, 31.0, 32.0, *_HUGE)
SPECIAL = (math.nan, *_POSITIVE, *(-value for value in _POSITIVE))


def values_to_try(model: bytes) -> dict[int, Matrix]:
    """Returns the values for each column that a model reads: special values, thresholds and neighbours, categories."""
    tried = dict[int, list[float]]()
    for tree in model.split(b"\nTree=")[1:]:
        fields = dict(re.findall(rb"\n(\w+)=([^\n]+)", tree))
        splits = zip(*(fields.get(name, b"").split() for name in _SPLIT), strict=True)
        for column, threshold, kind in splits:
            about = _categories(fields[b"cat_boundaries"]) if int(kind) & 1 else _neighbours(float(threshold))
            tried.setdefault(int(column), []).extend(about)
    return {column: np.array([*SPECIAL, *values]) for column, values in tried.items()}


_SPLIT = (b"split_feature", b"threshold", b"decision_type")


def _neighbours(threshold: float) -> Iterator[float]:
    yield from (threshold, math.nextafter(threshold, -math.inf), math.nextafter(threshold, math.inf))


def _categories(bounds: bytes) -> Iterator[float]:
    """Yields categories inside each set of a tree, and around its end."""
    for start, end in pairwise(map(int, bounds.split())):
        size = 32.0 * (end - start)
        yield from (0.0, 1.0, 7.0, size // 3, size // 2 + 1, size - 1, size - 0.5, size, size + 1)


def random_rows(rng: np.random.Generator, columns: int, values: Mapping[int, Matrix], count: int) -> Matrix:
    """Returns rows [count, columns] with random `values` of each column; a column without values gets special ones."""
    rows = rng.choice(np.array(SPECIAL), size=(count, columns))
    for column, tried in values.items():
        rows[:, column] = rng.choice(tried, count)
    return rows
