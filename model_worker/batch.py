"""One turn of scoring: scores the rows of many requests together, and returns an outcome for each."""

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
    """The scores of one request, float64 [rows, classes], and their cost.

    `predict_ns` is the CPU time of the predict call multiplied by the request's share of the rows. `queue_ns` is the
    time that the request waited. `starved` is the share of its time that the scoring thread waited for a CPU: the event
    loop's if the loop scored, otherwise the larger of the loop's and the predict thread's.
    """

    scores: bytes
    predict_ns: int
    queue_ns: int
    starved: float


Outcome: TypeAlias = Scored | MeshError


class Waiter(Protocol):
    """Receives the outcome of a request."""

    @property
    def gone(self) -> bool:
        """Whether the caller no longer waits; read from the predict thread."""

    def settle(self, outcome: Outcome) -> None:
        """Receives the outcome. Called once, on the event loop; must not raise."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The candidates of a factored request: each of its rows is scored with its `picks`, or with all (None)."""

    table: CandidateTable
    requests: int
    picks: Picks | None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A request in the queue: its rows, float64 [count, features]. Times are in `time.monotonic_ns`.

    With `pairs`, `rows` are float64 [requests, features], and `count` is the number of pairs.
    """

    rows: bytes
    count: int
    waiter: Waiter
    arrived_ns: int
    expires_ns: float = math.inf
    pairs: Pairs | None = None


class Batch(NamedTuple):
    """The outcomes of one turn, the number of rows that were predicted, and the duration of the turn."""

    outcomes: Sequence[tuple[Work, Outcome]]
    rows: int
    busy_ns: int


def predict_batch(forest: Forest, works: Sequence[Work], starved: float) -> Batch:
    """Scores `works` in as few calls as possible. Expired and abandoned requests are not scored.

    Raises nothing: if a call fails, it is logged once, and all requests of this call receive an error.
    """
    now_ns = time.monotonic_ns()
    active = [work for work in works if work.expires_ns > now_ns and not work.waiter.gone]
    outcomes = [outcome for group in _groups(active) for outcome in _scores(forest, group, now_ns, starved)]
    if len(active) < len(works):
        predicted = set(active)
        dropped = [work for work in works if work not in predicted]
        outcomes += [(work, Expired("the deadline of the request passed in the queue")) for work in dropped]
    rows = sum(work.count for work in active)
    return Batch(outcomes, rows, time.monotonic_ns() - now_ns)


def _groups(works: Sequence[Work]) -> Collection[Sequence[Work]]:
    """Groups `works` by call: plain rows, and for each table the pairs with all candidates and the pairs with picks."""
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
    except Exception:  # every caller of the batch must receive an outcome, and the thread must continue
        log.exception("cannot predict %d rows of %d requests", count, len(works))
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
    merged = Picks(_joined([one.counts for one in picks]), _joined([one.positions for one in picks])) if picks else None
    return pairs[0].table.predict(rows, sum(one.requests for one in pairs), merged)


def _joined(parts: Sequence[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _parts(works: Sequence[Work], scores: bytes, row_bytes: int) -> Iterator[tuple[Work, bytes]]:
    start = 0
    for work in works:
        end = start + work.count * row_bytes
        yield work, scores[start:end]
        start = end
