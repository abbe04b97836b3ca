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
from random import Random
from typing import NamedTuple

GROUP = 16
_TURNS = 8  # of the columns, to be the candidates' own
_GROUPS = 256
ROWS = GROUP * _GROUPS

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
    random = Random(len(model))
    rows = array("d", bytes(8 * ROWS * features))
    for column, values in enumerate(_values(model, features)):
        rows[column::features] = _drawn(values, column % _TURNS, random)
    size = GROUP * features
    return [
        Group(rows[group * size : (group + 1) * size].tobytes(), tuple(range(group % _TURNS, features, _TURNS)))
        for group in range(_GROUPS)
    ]


def _drawn(values: Sequence[float], turn: int, random: Random) -> array[float]:
    """A column [ROWS]: a value for each row where it is the candidates' own, one for each group elsewhere.

    Two of the requests know nothing, and only zeros.
    """
    own = range(turn, _GROUPS, _TURNS)
    endless = chain((math.nan, 0.0), cycle(random.sample(values, len(values))))
    shared, differing = array("d", islice(endless, _GROUPS)), array("d", islice(endless, len(own) * GROUP))
    column = array("d", bytes(8 * ROWS))
    for row in range(GROUP):
        column[row::GROUP] = shared
    for place, group in enumerate(own):
        column[group * GROUP : (group + 1) * GROUP] = differing[place * GROUP : (place + 1) * GROUP]
    return column


def _values(model: bytes, features: int) -> list[Sequence[float]]:
    """What to try in each column: odd values, its thresholds and their neighbours, its categories."""
    splits = set[tuple[bytes, bytes, bool]]()
    for columns, thresholds, kinds in _SPLITS.findall(model):
        are_categorical = map(_CATEGORICAL.__contains__, kinds.split())
        splits.update(zip(columns.split(), thresholds.split(), are_categorical, strict=True))
    tried: list[list[float]] = [list(_ODD) for _ in range(features)]
    for column, threshold, is_categorical in splits:
        if not is_categorical:
            value = float(threshold)
            tried[int(column)] += (value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf))
    categories = [float(code) for code in range(_categories(model))]
    for place in {int(column) for column, _, is_categorical in splits if is_categorical}:
        tried[place] += categories
    return [tuple(values) for values in tried]


def _categories(model: bytes) -> int:
    """More codes than any set of categories knows, within reason."""
    bounds = [list(map(int, text.split())) for text in _BOUNDS.findall(model)]
    words = max((after - before for tree in bounds for before, after in pairwise(tree)), default=0)
    return min(32 * words + 2, _MOST_CATEGORIES)
