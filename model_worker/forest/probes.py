"""Rows that lie where two ways of walking a forest could part, made from the model's own thresholds.

No row is like another, but in groups of `GROUP` all but some columns are the same: the rows of one request. Which
columns differ changes from group to group, so that each is the candidates' own once.
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
_TURNS = 8  # of the columns, to be the candidates' own
# So many that 4,096 rows are tried at least; more where a column has more values than these can hold, within reason.
_FEWEST_GROUPS, _MOST_GROUPS = 256, 1024

# Among others: what LightGBM takes for zero (1e-35 as a float) and its neighbours, and where int32 ends.
_ZERO = struct.unpack("f", struct.pack("f", 1e-35))[0]
_AT_EDGES = (5e-324, 2.3e-308, _ZERO, math.nextafter(_ZERO, 1.0), 1.0, 2.0**31 - 1, 2.0**31, 2.0**63, 1e300, math.inf)
_ODD = (math.nan, 0.0, 0.5, *_AT_EDGES, -0.0, -0.5, *(-value for value in _AT_EDGES))
_MOST_CATEGORIES = 1024

_SPLITS = re.compile(rb"\nsplit_feature=([^\n]*)\n(?:[^\n]+\n)*?threshold=([^\n]*)\ndecision_type=([^\n]*)\n")
_BOUNDS = re.compile(rb"\ncat_boundaries=([^\n]*)\n")
_CATEGORICAL = frozenset(b"%d" % kind for kind in range(1, 12, 2))


class Group(NamedTuple):
    """The rows of one request: float64 [GROUP, features], which differ in `columns` only."""

    rows: bytes
    columns: tuple[int, ...]


def groups(model: bytes, features: int) -> list[Group]:
    """All probes of a model whose structure was checked; the same for the same model."""
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
    """How many groups a column needs to show so many values: of `_TURNS` groups one shows it `GROUP`, the others 1."""
    shown = _TURNS - 1 + GROUP
    turns = (values + shown - 1) // shown + 1  # and one more, for the two requests that every column has in common
    return min(max(turns * _TURNS, _FEWEST_GROUPS), _MOST_GROUPS)


def _column(values: Sequence[float], turn: int, groups: int) -> array[float]:
    """A column: a value for each row where it is the candidates' own, one for each group elsewhere.

    Two of the requests know nothing, and only zeros.
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
    """`values` in an order that looks like none, another one in each column."""
    count = len(values)
    step = next(step for step in counting(count * 5 // 8 + column) if math.gcd(step, count) == 1)
    return [values[(column + place * step) % count] for place in range(count)]


def _values(model: bytes, features: int) -> list[Sequence[float]]:
    """What to try in each column: odd values, its thresholds and their neighbours, its categories."""
    numeric, categorical = dict[tuple[bytes, bytes], None](), set[int]()
    for columns, thresholds, kinds in _SPLITS.findall(model):
        splits, kinds_of = list(zip(columns.split(), thresholds.split(), strict=True)), kinds.split()
        if not _CATEGORICAL.isdisjoint(kinds_of):
            categorical.update(
                int(split[0]) for split, kind in zip(splits, kinds_of, strict=True) if kind in _CATEGORICAL
            )
            splits = [split for split, kind in zip(splits, kinds_of, strict=True) if kind not in _CATEGORICAL]
        numeric.update(dict.fromkeys(splits))
    tried: list[list[float]] = [list(_ODD) for _ in range(features)]
    for column, threshold in numeric:
        value = float(threshold)
        tried[int(column)] += (value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf))
    codes = [float(code) for code in range(_categories(model))] if categorical else []
    for place in categorical:
        tried[place] += codes
    return [tuple(values) for values in tried]


def _categories(model: bytes) -> int:
    """More codes than any set of categories knows, within reason."""
    bounds = [list(map(int, text.split())) for text in _BOUNDS.findall(model)]
    words = max((after - before for tree in bounds for before, after in pairwise(tree)), default=0)
    return min(32 * words + 2, _MOST_CATEGORIES)
