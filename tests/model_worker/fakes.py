"""Fakes for tests without a model: a forest that waits at a gate, and callers that keep their outcomes."""

from __future__ import annotations

import struct
import threading
import time

from model_worker.batch import Outcome, Waiter, Work
from model_worker.forest import Candidates
from model_worker.forest.expanded_table import ExpandedTable


class GatedForest:
    """Returns the first value of a row plus one as its score. Each batch waits until the gate is open.

    `entered` is released once for each batch that arrives at the gate. `threads` are the threads of the batches. Two
    batches at the same time are an error.
    """

    features, classes = 2, 1

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.batches: list[int] = []
        self.threads: list[int] = []
        self._in_use = threading.Lock()
        self.failure: BaseException | None = None

    def predict(self, rows: bytes, count: int) -> bytes:
        assert self._in_use.acquire(blocking=False), "two threads use the forest"
        try:
            return self._predict(rows, count)
        finally:
            self._in_use.release()

    def _predict(self, rows: bytes, count: int) -> bytes:
        self.threads.append(threading.get_ident())
        self.batches.append(count)
        self.entered.release()
        assert self.gate.wait(timeout=30)
        if self.failure is not None:
            raise self.failure
        first = struct.unpack(f"{2 * count}d", rows)[::2]
        return struct.pack(f"{count}d", *[value + 1 for value in first])

    def table(self, candidates: Candidates) -> ExpandedTable:
        return ExpandedTable(self, candidates)


class Caller:
    """Waits for an outcome, and keeps all outcomes that it receives."""

    def __init__(self) -> None:
        self.gone = False
        self.outcomes: list[Outcome] = []

    def settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def rows(*first: float) -> bytes:
    return struct.pack(f"{2 * len(first)}d", *[value for number in first for value in (number, 0.0)])


def scores(*values: float) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def work(caller: Waiter, *first: float, expires_ns: float = float("inf")) -> Work:
    return Work(rows(*first), len(first), caller, time.monotonic_ns(), expires_ns)
