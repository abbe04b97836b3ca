"""Probes: rows on which two implementations of a forest could differ, made from the thresholds of the model.

The rows of a group of `GROUP` differ in some columns only, as the rows of one request do. These columns change from
group to group, so that each column belongs to the candidates once.
"""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Sequence
from itertools import chain, cycle, islice, pairwise
from itertools import count as counting
from typing import NamedTuple

GROUP = 16
_TURNS = 8  # in every eighth group, a column belongs to the candidates
# At least 4,096 rows; more if a column has more values than they can hold, up to a limit.
_MIN_GROUPS, _MAX_GROUPS = 256, 1024

# Among others: the largest value that LightGBM treats as zero (1e-35 as a float), its neighbour, the limits of int32.
_ZERO = struct.unpack("f", struct.pack("f", 1e-35))[0]
_LIMITS = (5e-324, 2.3e-308, _ZERO, math.nextafter(_ZERO, 1.0), 1.0, 2.0**31 - 1, 2.0**31, 2.0**63, 1e300, math.inf)
_SPECIAL = (math.nan, 0.0, 0.5, *_LIMITS, -0.0, -0.5, *(-value for value in _LIMITS))
_MAX_CATEGORIES = 1024

_SPLITS = re.compile(rb"\nsplit_feature=([^\n]*)\n(?:[^\n]+\n)*?threshold=([^\n]*)\ndecision_type=([^\n]*)\n")
_BOUNDS = re.compile(rb"\ncat_boundaries=([^\n]*)\n")
_CATEGORICAL = frozenset(b"%d" % kind for kind in range(1, 12, 2))


class Group(NamedTuple):
    """The rows of one request, float64 [GROUP, features]. They differ in `columns` only."""

    rows: bytes
    columns: tuple[int, ...]


def groups(model: bytes, features: int) -> list[Group]:
    """Returns all probes of a model whose structure is checked; they depend on the model only."""
    values = _values(model, features)
    count = _groups_for(max(map(len, values)))
    rows = array("d", bytes(8 * count * GROUP * features))
    for column, tried in enumerate(values):
        rows[column::features] = _column(_mixed(tried, column), column % _TURNS, count)
    size = GROUP * features
    return [
        Group(rows[group * size : (group + 1) * size].tobytes(), tuple(range(group % _TURNS, features, _TURNS)))
        for group in range(count)
    ]


def _groups_for(values: int) -> int:
    """Returns the number of groups that show so many values: one in `_TURNS` shows `GROUP` values, the others 1."""
    shown = _TURNS - 1 + GROUP
    turns = (values + shown - 1) // shown + 1  # one more for the two requests that are the same in every column
    return min(max(turns * _TURNS, _MIN_GROUPS), _MAX_GROUPS)


def _column(values: Sequence[float], turn: int, groups: int) -> array[float]:
    """Returns a column: a value for each row of the groups in which it belongs to the candidates, else one per group.

    The first two values are NaN and 0: one request has NaN in all its shared columns, another one has zeros.
    """
    own = range(turn, groups, _TURNS)
    endless = chain((math.nan, 0.0), cycle(values))
    shared, differing = array("d", islice(endless, groups)), array("d", islice(endless, len(own) * GROUP))
    column = array("d", bytes(8 * groups * GROUP))
    for row in range(GROUP):
        column[row::GROUP] = shared
    for place, group in enumerate(own):
        column[group * GROUP : (group + 1) * GROUP] = differing[place * GROUP : (place + 1) * GROUP]
    return column


def _mixed(values: Sequence[float], column: int) -> list[float]:
    """Returns `values` in a scattered order, which depends on the column."""
    count = len(values)
    step = next(step for step in counting(count * 5 // 8 + column) if math.gcd(step, count) == 1)
    return [values[(column + place * step) % count] for place in range(count)]


def _values(model: bytes, features: int) -> list[Sequence[float]]:
    """Returns the values for each column: special values, its thresholds and their neighbours, its categories."""
    numeric, categorical = dict[tuple[bytes, bytes], None](), set[int]()
    for columns, thresholds, kinds in _SPLITS.findall(model):
        splits, kinds_of = list(zip(columns.split(), thresholds.split(), strict=True)), kinds.split()
        if not _CATEGORICAL.isdisjoint(kinds_of):
            categorical.update(
                int(split[0]) for split, kind in zip(splits, kinds_of, strict=True) if kind in _CATEGORICAL
            )
            splits = [split for split, kind in zip(splits, kinds_of, strict=True) if kind not in _CATEGORICAL]
        numeric.update(dict.fromkeys(splits))
    tried: list[list[float]] = [list(_SPECIAL) for _ in range(features)]
    for column, threshold in numeric:
        value = float(threshold)
        tried[int(column)] += (value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf))
    codes = [float(code) for code in range(_categories(model))] if categorical else []
    for place in categorical:
        tried[place] += codes
    return [tuple(values) for values in tried]


def _categories(model: bytes) -> int:
    """Returns the number of category codes to try: more than any set has, up to a limit."""
    bounds = [list(map(int, text.split())) for text in _BOUNDS.findall(model)]
    words = max((after - before for tree in bounds for before, after in pairwise(tree)), default=0)
    return min(32 * words + 2, _MAX_CATEGORIES)
