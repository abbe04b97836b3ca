"""What one turn of the predict thread does: many requests' rows in, an outcome for each of them out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from mesh.errors import Expired, MeshError
from model_worker.forest import CandidateTable, Forest, Picks

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


@dataclass(frozen=True, slots=True)
class Pairs:
    """The rows of one message and the candidates that each of them is scored with, all or some of `table`'s."""

    table: CandidateTable
    requests: int
    picks: Picks | None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """The rows of one request, float64 [count, features], as they wait; times are `time.monotonic_ns`.

    With `pairs`, `rows` are float64 [requests, features], and `count` counts the pairs.
    """

    rows: bytes
    count: int
    waiter: Waiter
    arrived_ns: int
    expires_ns: float = math.inf
    pairs: Pairs | None = None


class Batch(NamedTuple):
    """One turn's outcomes, each with its work; the rows that were predicted, and the turn's length."""

    outcomes: Sequence[tuple[Work, Outcome]]
    rows: int
    busy_ns: int


def predict_batch(forest: Forest, works: Sequence[Work], starved: float) -> Batch:
    """Scores `works` in as few calls as can be, but for the expired and the abandoned, which cost nothing.

    Raises nothing: a forest that fails costs all who shared the call their scores, and is logged once.
    """
    now_ns = time.monotonic_ns()
    alive = [work for work in works if work.expires_ns > now_ns and not work.waiter.gone]
    outcomes = [outcome for group in _groups(alive) for outcome in _scores(forest, group, now_ns, starved)]
    if len(alive) < len(works):
        living = set(alive)
        outcomes += [(work, Expired("its time ran out in the queue")) for work in works if work not in living]
    rows = sum(work.count for work in alive)
    return Batch(outcomes, rows, time.monotonic_ns() - now_ns)


def _groups(works: Sequence[Work]) -> Collection[Sequence[Work]]:
    """Those that one call can score: plain rows, and for each table the pairs with all candidates and with some."""
    groups: dict[object, list[Work]] = {}
    for work in works:
        kind = work.pairs and (id(work.pairs.table), work.pairs.picks is None)
        groups.setdefault(kind, []).append(work)
    return groups.values()


def _scores(forest: Forest, works: Sequence[Work], now_ns: int, starved: float) -> list[tuple[Work, Outcome]]:
    count = sum(work.count for work in works)
    started_ns = time.thread_time_ns()
    try:
        scores = _predict(forest, works, count)
    except Exception:  # many callers share this call: each must be told, and the thread must live on
        log.exception("predict failed for %d rows of %d requests", count, len(works))
        return [(work, MeshError("internal error")) for work in works]
    row_ns = (time.thread_time_ns() - started_ns) / count
    row_bytes = len(scores) // count
    return [
        (work, Scored(part, int(row_ns * work.count), now_ns - work.arrived_ns, starved))
        for work, part in _parts(works, scores, row_bytes)
    ]


def _predict(forest: Forest, works: Sequence[Work], count: int) -> bytes:
    rows = _joined([work.rows for work in works])
    pairs = [work.pairs for work in works if work.pairs is not None]
    if not pairs:
        return forest.predict(rows, count)
    picks = [one.picks for one in pairs if one.picks is not None]
    some = Picks(_joined([one.counts for one in picks]), _joined([one.positions for one in picks])) if picks else None
    return pairs[0].table.predict(rows, sum(one.requests for one in pairs), some)


def _joined(parts: Sequence[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _parts(works: Sequence[Work], scores: bytes, row_bytes: int) -> Iterator[tuple[Work, bytes]]:
    start = 0
    for work in works:
        end = start + work.count * row_bytes
        yield work, scores[start:end]
        start = end
