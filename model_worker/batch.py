"""What one turn of the predict thread does: many requests' rows in, an outcome for each of them out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from mesh.errors import Expired, MeshError
from model_worker.forest import Forest

log = logging.getLogger(__name__)


class Scored(NamedTuple):
    """The scores of one request, float64 [rows, classes], and what they cost.

    `predict_ns` is the predict call's CPU time times the request's share of the rows, `queue_ns` the time
    the request waited, and `starved` the share of its time for which the predict thread waited for a CPU.
    """

    scores: bytes
    predict_ns: int
    queue_ns: int
    starved: float


Outcome: TypeAlias = Scored | MeshError


class Waiter(Protocol):
    """Who wants the outcome of a request."""

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more; asked from the predict thread."""

    def settle(self, outcome: Outcome) -> None:
        """Takes the outcome; called once, on the loop; must not raise."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """The rows of one request, float64 [count, features], as they wait; times are `time.monotonic_ns`."""

    rows: bytes
    count: int
    waiter: Waiter
    arrived_ns: int
    expires_ns: float = math.inf


class Batch(NamedTuple):
    """One turn's outcomes, each with its work; the rows that were predicted, and the turn's length."""

    outcomes: Sequence[tuple[Work, Outcome]]
    rows: int
    busy_ns: int


def predict_batch(forest: Forest, works: Sequence[Work], starved: float) -> Batch:
    """Scores `works` in one call, but for the expired and the abandoned, which cost nothing.

    Raises nothing: a forest that fails costs all who shared the call their scores, and is logged once.
    """
    now_ns = time.monotonic_ns()
    alive = [work for work in works if work.expires_ns > now_ns and not work.waiter.gone]
    outcomes = _scores(forest, alive, now_ns, starved) if alive else []
    if len(alive) < len(works):
        living = set(alive)
        outcomes += [(work, Expired("its time ran out in the queue")) for work in works if work not in living]
    rows = sum(work.count for work in alive)
    return Batch(outcomes, rows, time.monotonic_ns() - now_ns)


def _scores(forest: Forest, works: Sequence[Work], now_ns: int, starved: float) -> list[tuple[Work, Outcome]]:
    rows = works[0].rows if len(works) == 1 else b"".join([work.rows for work in works])
    count = sum(work.count for work in works)
    started_ns = time.thread_time_ns()
    try:
        scores = forest.predict(rows, count)
    except Exception:  # many callers share this call: each must be told, and the thread must live on
        log.exception("predict failed for %d rows of %d requests", count, len(works))
        return [(work, MeshError("internal error")) for work in works]
    row_ns = (time.thread_time_ns() - started_ns) / count
    row_bytes = len(scores) // count
    return [
        (work, Scored(part, int(row_ns * work.count), now_ns - work.arrived_ns, starved))
        for work, part in _parts(works, scores, row_bytes)
    ]


def _parts(works: Sequence[Work], scores: bytes, row_bytes: int) -> Iterator[tuple[Work, bytes]]:
    start = 0
    for work in works:
        end = start + work.count * row_bytes
        yield work, scores[start:end]
        start = end
