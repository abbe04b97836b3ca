"""Guards of a game: count the answers of versions, and give the players of a version that breaks its bounds away."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence

from mesh.catalog.catalog import Catalog
from supervisor.answers import Answer
from supervisor.guard import Bounds, Window
from supervisor.party import AnswerMetrics
from supervisor.traffic import Traffic

LOOKS = 200  # in a window, at most: a look compares the counts of all buckets
_log = logging.getLogger("supervisor.guard")


class VersionGuard:
    """Watches a version with a guard, and the version that would get its players.

    `trip` gives the players away, and returns whether that was possible.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float], trip: Callable[[str], bool]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._trip = trip
        self._window = Window(bounds.block.window_s)
        self._has_tripped = False
        self._broken_since_s: float | None = None
        self._next_look_s = -math.inf

    def record_own(self, answer: Answer) -> None:
        """Counts an answer of the version, and looks whether it has broken its bounds."""
        if self._count(answer, is_own=True) and self._bounds.is_broken(self._window.own):
            now_s = self._clock()
            if now_s >= self._next_look_s:
                self._next_look_s = now_s + self._bounds.block.window_s / LOOKS
                self._look(now_s)

    def record_other(self, answer: Answer) -> None:
        """Counts an answer of the other version."""
        self._count(answer, is_own=False)

    def _count(self, answer: Answer, *, is_own: bool) -> bool:
        """Counts an answer; returns whether it is a bad one."""
        is_lost = self._bounds.is_lost(answer)
        if is_lost is None or self._has_tripped:
            return False
        is_slow = answer.timings.fan_out_s > self._bounds.slow_s
        self._window.add(self._clock(), is_own, is_lost, is_slow)
        return is_lost or is_slow

    def _look(self, now_s: float) -> None:
        """Trips after a breach: at once, or if the other version has too few answers, after half of the window."""
        breach = self._bounds.breach(self._window)
        if breach is None:
            self._broken_since_s = None
            return
        if self._broken_since_s is None:
            self._broken_since_s = now_s
        if breach.is_certain or now_s - self._broken_since_s >= self._bounds.block.window_s / 2:
            self._has_tripped = self._trip(breach.text)


class Watched:
    """Passes the answers and cohorts of a version on to its metrics, and the answers to guards, too."""

    def __init__(self, metrics: AnswerMetrics, guards: Sequence[Callable[[Answer], None]]) -> None:
        self._metrics = metrics
        self._guards = guards
        self.record_cohort = metrics.record_cohort

    def record_answer(self, answer: Answer, total_s: float, trace_id: str = "") -> None:
        """Records an answer, `total_s` after the admission of its request."""
        self._metrics.record_answer(answer, total_s, trace_id)
        for record in self._guards:
            record(answer)


class Guards:
    """The guards of one catalog. `tripped` are the versions that have given their players away, with the version `to`.

    A trip lasts as long as the catalog: hand `tripped` over to the guards of an equal catalog. `can_answer` returns
    whether a version has a quorum of models; a version without one gets no players.
    """

    def __init__(
        self,
        catalog: Catalog,
        traffic: Traffic,
        can_answer: Callable[[str], bool],
        tripped: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tripped: dict[str, str] = {}
        self._game = catalog.game
        self._traffic = traffic
        self._can_answer = can_answer
        self._blocks = {name: one.guard for name, one in catalog.versions.items() if one.guard is not None}
        self._guards = {
            name: VersionGuard(Bounds(block, catalog.budget_ms / 1000), clock, self._trips(name))
            for name, block in self._blocks.items()
            if name not in (tripped or {})
        }
        self.take_over(tripped or {})

    @property
    def versions(self) -> Sequence[str]:
        """The versions that have a guard."""
        return tuple(self._blocks)

    def take_over(self, tripped: Mapping[str, str]) -> None:
        """Gives away the players of the versions that have tripped the guards of an equal catalog."""
        self.tripped.update(tripped)
        for version, to in tripped.items():
            self._traffic.divert(version, to)

    def watch(self, version: str, metrics: AnswerMetrics) -> AnswerMetrics:
        """Returns the receiver of the answers of `version`: `metrics` alone if no guard needs them."""
        own = [self._guards[version].record_own] if version in self._guards else []
        others = [guard.record_other for name, guard in self._guards.items() if self._blocks[name].to == version]
        return Watched(metrics, [*own, *others]) if own or others else metrics

    def _trips(self, version: str) -> Callable[[str], bool]:
        reported = False

        def trip(breach: str) -> bool:
            """Gives the players of the version away; returns whether this was possible."""
            nonlocal reported
            if version in self.tripped:
                return True
            block = self._blocks[version]
            what = f"{self._game}: version {version} breaks its guard: in {block.window_s:g} s, {breach}"
            if not self._can_answer(block.to):
                if not reported:
                    _log.warning("%s; it keeps its players, because %s has no quorum of models", what, block.to)
                reported = True
                return False
            _log.warning("%s; %s gets its players until the catalog changes", what, block.to)
            self.tripped[version] = block.to
            self._traffic.restore(block.to)  # it may still wait for models that its quorum does not need
            self._traffic.divert(version, block.to)
            return True

        return trip
