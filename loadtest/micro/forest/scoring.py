"""CPU per row in every way to score it, in turn; every timed score is compared with LightGBM's."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from loadtest.measurement.latency import ratio
from loadtest.measurement.turns import in_turn
from loadtest.micro.forest.cases import Call, Case
from loadtest.micro.forest.engines import LIGHTGBM


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU per row in microseconds by way, medians of rounds."""

    rows: int
    us_a_row: Mapping[str, float]

    def share(self, way: str) -> float:
        """The time of this way over the time of LightGBM."""
        return ratio(self.us_a_row[way], self.us_a_row[LIGHTGBM])


@dataclass(slots=True)
class ScoreCheck:
    """The number of scores compared with LightGBM's, and the number of different scores by case."""

    compared: int = 0
    different: dict[str, int] = field(default_factory=dict)

    def compare(self, case: str, ours: bytes, theirs: bytes) -> None:
        """Counts the scores of one way, and the scores that are not equal to the last bit."""
        unequal = int(np.count_nonzero(np.frombuffer(ours, np.uint64) != np.frombuffer(theirs, np.uint64)))
        self.compared += len(theirs) // 8
        if unequal:
            self.different[case] = self.different.get(case, 0) + unequal


def measure_scoring(
    cases: Sequence[Case], rounds: int, check: ScoreCheck, progress: Callable[[str], None]
) -> dict[str, Cost]:
    """The cost of every case. A warm-up round, which does not count, comes first."""
    spent: dict[str, dict[str, list[float]]] = {case.name: {way: [] for way in case.ways} for case in cases}
    for number in range(-1, rounds):
        progress(f"scoring, round {number + 1} of {rounds}" if number >= 0 else "scoring, warm-up")
        for case in cases:
            for way, cost_us in _round(case, number, check).items():
                if number >= 0:
                    spent[case.name][way].append(cost_us)
    return {
        case.name: Cost(case.rows, {way: statistics.median(costs) for way, costs in spent[case.name].items()})
        for case in cases
    }


@contextmanager
def pinned() -> Iterator[int]:
    """Keeps this process on one core until the block ends; yields the number of the core."""
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def _round(case: Case, number: int, check: ScoreCheck) -> Mapping[str, float]:
    costs_us: dict[str, float] = {}
    scores: dict[str, bytes] = {}
    for way in in_turn(list(case.ways), number):
        calls = case.ways[way]
        cost_s, scores[way] = _timed(calls)
        costs_us[way] = cost_s / (len(calls) * case.rows) * 1e6
    for way in case.ways.keys() - {LIGHTGBM}:
        check.compare(f"{case.name} ({way})", scores[way], scores[LIGHTGBM])
    return costs_us


def _timed(calls: Sequence[Call]) -> tuple[float, bytes]:
    began_s = time.thread_time()
    scores = [call() for call in calls]
    return time.thread_time() - began_s, b"".join(scores)
