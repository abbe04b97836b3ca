"""The cases for both engines: rows of random players, and lists of candidates for one player."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from loadtest.micro.forest.engines import LIGHTGBM, PACKED, Pair
from loadtest.workload_files import Matrix
from model_worker.forest import Candidates

TABLE = "engine, table"
ROWS_A_TURN = 6000  # least number of rows that are scored between two readings of the clock

Call = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """The same calls in every way to make them; one call scores `rows` rows."""

    name: str
    rows: int
    ways: Mapping[str, Sequence[Call]]


def row_cases(pairs: Sequence[Pair]) -> Iterator[Case]:
    """Independent rows; each call uses another model than the call before, except in the case `one model`."""
    yield _rows("1 row, another model each time", pairs, 1)
    yield _rows("1 row, one model", pairs[:1], 1)
    yield _rows("16 rows", pairs, 16)
    yield _rows("256 rows", pairs, 256)


def candidate_cases(pairs: Sequence[Pair]) -> Iterator[Case]:
    """Candidates of one player, which differ in the last columns; each call uses another model and another player."""
    for count, width in ((16, 10), (100, 4), (100, 10), (100, 20), (1000, 10)):
        yield _candidates(f"{count} candidates, {width} columns", pairs, count, width, ())


def categorical_case(pairs: Sequence[Pair], codes: Sequence[int]) -> Case:
    """Candidates whose last columns are categorical; `codes` are the numbers of categories."""
    return _candidates(f"100 candidates, 20 columns, {len(codes)} categorical", pairs, 100, 20, codes)


def _rows(name: str, pairs: Sequence[Pair], count: int) -> Case:
    rng = np.random.default_rng(count)
    calls = [(pair, _drawn(rng, count, pair).tobytes()) for pair in _in_turn(pairs, count)]
    ways: dict[str, list[Call]] = {
        LIGHTGBM: [partial(pair.lightgbm.predict, rows, count) for pair, rows in calls],
        PACKED: [partial(pair.packed.predict, rows, count) for pair, rows in calls],
    }
    return Case(name, count, ways)


def _candidates(name: str, pairs: Sequence[Pair], count: int, width: int, codes: Sequence[int]) -> Case:
    rng = np.random.default_rng(count + width)
    features = pairs[0].packed.features
    columns = tuple(range(features - width, features))
    values = np.ascontiguousarray(_drawn(rng, count, pairs[0], codes)[:, columns])
    tables = {id(pair): pair.packed.table(Candidates(columns, values.tobytes(), count)) for pair in pairs}
    ways: dict[str, list[Call]] = {LIGHTGBM: [], PACKED: [], TABLE: []}
    for pair in _in_turn(pairs, count):
        player = _drawn(rng, 1, pair, codes)
        rows = np.repeat(player, count, axis=0)
        rows[:, columns] = values
        ways[LIGHTGBM].append(partial(pair.lightgbm.predict, rows.tobytes(), count))
        ways[PACKED].append(partial(pair.packed.predict, rows.tobytes(), count))
        ways[TABLE].append(partial(tables[id(pair)].predict, player.tobytes(), 1))
    return Case(name, count, ways)


def _in_turn(pairs: Sequence[Pair], rows: int) -> Iterator[Pair]:
    for _ in range(-(-ROWS_A_TURN // (rows * len(pairs)))):
        yield from pairs


def _drawn(rng: np.random.Generator, count: int, pair: Pair, codes: Sequence[int] = ()) -> Matrix:
    """Random rows with the distribution of the training data."""
    rows: Matrix = rng.normal(size=(count, pair.packed.features))
    for position, number in enumerate(reversed(codes), 1):
        rows[:, -position] = rng.integers(0, number, count)
    return rows
