"""Shadow runner: has shadows score the queued samples while the CPU is spare, and compares their scores."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mesh.dealing import MESSAGE_CPU_S
from mesh.errors import MeshError
from supervisor.ballot import Ballot, Place
from supervisor.cohort import Cohorts
from supervisor.game import Game
from supervisor.rows import CohortRows
from supervisor.shadow.comparison import rank_correlations, same_best
from supervisor.shadow.metrics import LIVE, SHADOW, Outcome, PairMetrics
from supervisor.shadow.sample import Sample, SampleQueue
from supervisor.shadow.spare_cpu import SpareCpu, StarvedShare
from supervisor.shadow.target import ShadowTarget
from supervisor.vote_count import VoteCount, count_votes

MAX_SAMPLES = 64  # of a cohort
MAX_ROWS = 2048
GATHER_S = 0.1  # samples wait for others: a cohort costs a message for each model, whatever its size
WORK_S = 0.003  # of a cohort's rows on each model: a live row that arrives behind them waits at most this long
ASKING_S, VOTE_S = 60.0, 0.3  # the deadlines of a cohort: to ask all models, and for a vote
PATIENCE_S = 0.02  # the next model does not wait longer for the vote of a slow one
SLICE_VALUES = 2048  # compared before the event loop turns: about 0.2 ms
MAX_LOGGED = 8  # targets whose first failure is logged
_log = logging.getLogger("supervisor.shadow")


class Scored(NamedTuple):
    """A sample and its `scores` by the shadow [rows]. The slowest vote took `vote_s`."""

    sample: Sample
    scores: NDArray[np.float64]
    is_partial: bool
    vote_s: float


class Spare(Protocol):
    """Reports when shadows may work. `SpareCpu` implements it."""

    async def wait(self) -> None:
        """Returns when shadows may work."""
        ...

    def begin(self) -> None:
        """Records that a piece of work begins."""
        ...

    def end(self, work_s: float) -> None:
        """Records that the piece of work has ended; it took `work_s` of CPU, in seconds."""
        ...


def shadow_runner(
    queue: SampleQueue, games: Mapping[str, Game], live: Cohorts, starvation: StarvedShare
) -> ShadowRunner:
    """Returns the runner of a supervisor whose requests travel with `live`."""
    spare = SpareCpu(live, starvation)
    live.on_idle = spare.notify

    def is_in_force(target: ShadowTarget) -> bool:
        return any(ensemble.panel is target.home for ensemble in games[target.game].ensembles.values())

    return ShadowRunner(queue, spare, is_in_force)


class ShadowRunner:
    """Takes cohorts of samples from `queue`, one after the other.

    The models of a shadow are asked one after the other, each when the CPU is `spare`: its rows are never behind live
    rows, and live rows find at most one busy model. `is_in_force` returns whether the catalog of a target is still in
    force. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        queue: SampleQueue,
        spare: Spare,
        is_in_force: Callable[[ShadowTarget], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._spare = spare
        self._is_in_force = is_in_force
        self._clock = clock
        self._failed: set[str] = set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self._queue.gathered(GATHER_S)
            await self._spare.wait()
            samples = self._queue.take(_max_rows, MAX_SAMPLES)
            if not samples:
                continue
            outcome = await self._outcome(samples)
            if outcome is not None:
                for sample in samples:
                    sample.pair.metrics.count(outcome)

    async def _outcome(self, samples: Sequence[Sample]) -> Outcome | None:
        """Scores and compares `samples`; returns their outcome if it is not recorded yet."""
        target = samples[0].pair.target
        if not self._is_in_force(target):
            return Outcome.REPLACED
        try:
            return await self._score(samples)
        except Exception:  # a bug in a comparison must not end the answers
            if target.name not in self._failed and len(self._failed) < MAX_LOGGED:
                self._failed.add(target.name)
                _log.exception("%s: cannot compare the shadow %s; logged once", target.game, target.name)
            return Outcome.FAILED

    async def _score(self, samples: Sequence[Sample]) -> Outcome | None:
        """Scores and compares `samples`; returns their outcome if the shadow was not asked completely."""
        target = samples[0].pair.target
        rows = CohortRows(
            samples[0].columns, [sample.player for sample in samples], [sample.passenger for sample in samples]
        )
        spans = list(_spans(samples))
        ballot = Ballot(target.panel.models, spans[-1].stop, target.version.quorum, lambda: None, is_shadow=True)
        try:
            vote_s = await self._ask(target, rows, ballot)
        finally:
            ballot.close()
        if vote_s is None:
            return Outcome.EXPIRED
        if not self._is_in_force(target):  # its lanes may be closed, which says nothing about its models
            return Outcome.REPLACED
        counts = count_votes(target.version, ballot.votes, ballot.reasons, spans)
        scored = [
            Scored(sample, votes.scores, bool(votes.missing), vote_s)
            for sample, votes in zip(samples, counts, strict=True)
            if _has_quorum(sample, votes, target) and votes.scores is not None
        ]
        for part in _slices(scored):
            await self._spare.wait()
            self._spare.begin()
            began_s = self._clock()
            _compare(part)
            self._spare.end(self._clock() - began_s)
        return None

    async def _ask(self, target: ShadowTarget, rows: CohortRows, ballot: Ballot) -> float | None:
        """Asks every model; returns the time of the slowest vote, None if there was no time to ask all models."""
        votes: list[asyncio.Future[MeshError | None]] = []
        times_s: list[float] = []
        started_s = self._clock()
        for index, pool in enumerate(target.panel.pools):
            await self._spare.wait()
            asked_s = self._clock()
            if asked_s >= started_s + ASKING_S:
                return None
            self._spare.begin()
            vote = pool.start_vote(rows, rows.columns, [Place(ballot, index)], asked_s + VOTE_S)
            vote.add_done_callback(lambda _, asked_s=asked_s: times_s.append(self._clock() - asked_s))  # type: ignore[misc]
            votes.append(vote)
            await asyncio.wait([vote], timeout=PATIENCE_S)
            self._spare.end(rows.bounds[-1] * pool.load.row_s + MESSAGE_CPU_S)
        await asyncio.wait(votes, timeout=VOTE_S)
        await asyncio.sleep(0)  # runs the callbacks of the last vote
        return max(times_s, default=VOTE_S)


def _max_rows(target: ShadowTarget) -> int:
    """The rows that are `WORK_S` of work for the slowest model."""
    slowest_s = max(pool.load.row_s for pool in target.panel.pools)
    return min(MAX_ROWS, int(WORK_S / slowest_s))


def _spans(samples: Sequence[Sample]) -> Iterator[slice]:
    start = 0
    for sample in samples:
        yield slice(start, start + len(sample.scores))
        start += len(sample.scores)


def _has_quorum(sample: Sample, votes: VoteCount, target: ShadowTarget) -> bool:
    """Returns whether enough models voted for a comparison; counts missing votes, and a missing quorum."""
    metrics = sample.pair.metrics
    for model, _ in votes.missing:
        metrics.misses[model] += 1
    if votes.voters < target.version.quorum:
        metrics.count(Outcome.NO_QUORUM)
        return False
    return True


def _slices(scored: Sequence[Scored]) -> Iterator[Sequence[Scored]]:
    """Yields parts of one pair and one number of candidates, of at most `SLICE_VALUES` unless one request has more."""
    groups: dict[tuple[PairMetrics, bool, int], list[Scored]] = {}
    for one in scored:
        groups.setdefault((one.sample.pair.metrics, one.sample.is_ranked, len(one.scores)), []).append(one)
    for (_, _, candidates), group in groups.items():
        step = max(1, SLICE_VALUES // candidates)
        yield from (group[start : start + step] for start in range(0, len(group), step))


def _compare(part: Sequence[Scored]) -> None:
    first = part[0].sample
    metrics, ranking = first.pair.metrics, first.pair.target.ranking
    metrics.count(Outcome.COMPARED, len(part))
    metrics.partial[LIVE] += sum(one.sample.is_partial for one in part)
    metrics.partial[SHADOW] += sum(one.is_partial for one in part)
    metrics.seconds[LIVE].add(np.array([one.sample.fan_out_s for one in part]))
    metrics.seconds[SHADOW].add(np.array([one.vote_s for one in part]))
    live = np.array([one.sample.scores for one in part])
    shadow = np.array([one.scores for one in part])
    metrics.scores[LIVE].add(live.ravel())
    metrics.scores[SHADOW].add(shadow.ravel())
    difference = (shadow - live).ravel()
    metrics.differences.add(difference)
    metrics.absolute_difference += float(np.abs(difference).sum())
    if ranking is None or not first.is_ranked or live.shape[1] < 2:
        return
    live_keys, shadow_keys = (
        np.array([ranking.keys(one.sample.passenger.offers, row) for one, row in zip(part, scores, strict=True)])
        for scores in (live, shadow)
    )
    metrics.ranked += len(part)
    metrics.same_best += same_best(live_keys, shadow_keys)
    metrics.correlations.add(rank_correlations(live_keys, shadow_keys))
