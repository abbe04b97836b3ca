"""CPU of a row in every way to score it, in turns; every score that was timed is held against LightGBM's."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from loadtest.forest.cases import Call, Case
from loadtest.forest.engines import LIGHTGBM
from loadtest.latency import ratio


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one row in microseconds by way, medians of rounds."""

    rows: int
    us_a_row: Mapping[str, float]

    def share(self, way: str) -> float:
        """What this way takes of LightGBM's time."""
        return ratio(self.us_a_row[way], self.us_a_row[LIGHTGBM])


@dataclass(slots=True)
class Comparison:
    """How many scores were held against LightGBM's, and which cases had others, by how many."""

    compared: int = 0
    different: dict[str, int] = field(default_factory=dict)

    def hold(self, what: str, ours: bytes, theirs: bytes) -> None:
        """Counts the scores of one way, and those of them that are not the same to the last bit."""
        unequal = int(np.count_nonzero(np.frombuffer(ours, np.uint64) != np.frombuffer(theirs, np.uint64)))
        self.compared += len(theirs) // 8
        if unequal:
            self.different[what] = self.different.get(what, 0) + unequal


def measure_scoring(
    cases: Sequence[Case], rounds: int, comparison: Comparison, progress: Callable[[str], None]
) -> dict[str, Cost]:
    """The cost of every case. The first round is preceded by one that does not count."""
    spent: dict[str, dict[str, list[float]]] = {case.name: {way: [] for way in case.ways} for case in cases}
    for number in range(-1, rounds):
        progress(f"scoring, round {number + 1} of {rounds}" if number >= 0 else "scoring, warm-up")
        for case in cases:
            for way, cost_us in _round(case, number, comparison).items():
                if number >= 0:
                    spent[case.name][way].append(cost_us)
    return {
        case.name: Cost(case.rows, {way: statistics.median(costs) for way, costs in spent[case.name].items()})
        for case in cases
    }


@contextmanager
def pinned() -> Iterator[int]:
    """Keeps this process on one core, whose number it yields, until the block is left."""
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def in_turn(ways: Sequence[str], number: int) -> list[str]:
    """Every way once, each round from another one on and every other round backwards."""
    first = number % len(ways)
    order = [*ways[first:], *ways[:first]]
    return order[::-1] if number % 2 else order


def _round(case: Case, number: int, comparison: Comparison) -> Mapping[str, float]:
    costs_us: dict[str, float] = {}
    scores: dict[str, bytes] = {}
    for way in in_turn(list(case.ways), number):
        calls = case.ways[way]
        cost_s, scores[way] = _timed(calls)
        costs_us[way] = cost_s / (len(calls) * case.rows) * 1e6
    for way in case.ways.keys() - {LIGHTGBM}:
        comparison.hold(f"{case.name} ({way})", scores[way], scores[LIGHTGBM])
    return costs_us


def _timed(calls: Sequence[Call]) -> tuple[float, bytes]:
    began_s = time.thread_time()
    scores = [call() for call in calls]
    return time.thread_time() - began_s, b"".join(scores)
