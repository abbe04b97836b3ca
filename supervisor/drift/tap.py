"""Tap: samples the answered requests of one version, and counts them beside the hot path."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from random import Random

import numpy as np

from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources
from mesh.catalog.unseen import known_values
from mesh.drift.reference import Reference
from supervisor.drift.monitor import Monitor
from supervisor.drift.places import FeaturePlaces
from supervisor.drift.sample import FLUSH_S, Sample, Sampler
from supervisor.game import Game
from supervisor.panel import Panel
from supervisor.party import Settled
from supervisor.rows import RowPlan

SLICE_VALUES = 4096  # features that are counted at once: about 0.1 ms
PAUSE_S = 0.002  # between two slices, so that other work goes first
_log = logging.getLogger("supervisor.drift")


class DriftTap:
    """Compares requests of a version with its reference, once `monitor` is set: `use` sets it.

    `uri` is the place of the reference. Without a reference, a request costs one comparison. `clock` is monotonic, in
    seconds.
    """

    def __init__(
        self,
        uri: str,
        panel: Panel,
        sources: Sources,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.uri = uri
        self.monitor: Monitor | None = None
        self._panel = panel
        self._sources = sources
        self._sampler = Sampler(random)
        self._clock = clock
        self._drained_s = clock()
        self._timer: asyncio.TimerHandle | None = None
        self._is_counting = False
        self._waiting: deque[Sample] = deque()
        self._places: FeaturePlaces | None = None
        self._plans: tuple[RowPlan, ...] = ()
        self._has_failed = False

    def use(self, reference: Reference) -> None:
        """Compares the next requests with `reference`."""
        self.take_over(Monitor(reference, self._panel.models))

    def take_over(self, monitor: Monitor) -> None:
        """Continues the counts of `monitor`, which is for the same models."""
        self.monitor = monitor
        self._places = None

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of their votes."""
        return self._panel.models

    def settled(self, settled: Settled) -> None:
        """Samples the requests that were answered."""
        if self.monitor is None or not self._sampler.offer(settled) or self._timer is not None:
            return
        self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._drain)

    def _drain(self) -> None:
        now_s = self._clock()
        self._waiting.extend(self._sampler.drain(now_s - self._drained_s))
        self._drained_s = now_s
        self._timer = None
        if not self._is_counting:
            self._count_slice()

    def _count_slice(self) -> None:
        """Counts some samples, and the others soon."""
        try:
            self._count(self._next_slice())
        except Exception:  # a bug in a comparison must not end the answers
            if not self._has_failed:
                self._has_failed = True
                _log.exception("cannot compare requests with %s; logged once", self.uri)
        self._is_counting = bool(self._waiting)
        if self._is_counting:
            asyncio.get_running_loop().call_later(PAUSE_S, self._count_slice)

    def _next_slice(self) -> list[Sample]:
        """Removes and returns samples that were read with the same columns."""
        most = max(1, SLICE_VALUES // max(1, self._places.features if self._places is not None else 64))
        taken: list[Sample] = []
        while self._waiting and len(taken) < most:
            if taken and self._waiting[0].columns != taken[0].columns:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _count(self, samples: list[Sample]) -> None:
        monitor = self.monitor
        if not samples or monitor is None:
            return
        plans = tuple(pool.plan for pool in self._panel.pools if pool.plan is not None)
        places = self._places
        if places is None or places.columns != samples[0].columns or self._has_other(plans):
            known = known_values([plan.header for plan in plans])
            places = FeaturePlaces(monitor.layout, samples[0].columns, self._sources, known)
            self._places, self._plans = places, plans
        monitor.add(places.find(samples), np.array([one.votes for one in samples]))

    def _has_other(self, plans: tuple[RowPlan, ...]) -> bool:
        return len(plans) != len(self._plans) or any(
            one is not other for one, other in zip(plans, self._plans, strict=True)
        )


def open_drift_taps(
    catalog: Catalog, panels: Mapping[str, Panel], sources: Sources, before: Game | None
) -> dict[str, DriftTap]:
    """Returns the tap of each version that has a reference, by name. `panels` are those of all versions.

    A tap continues the counts of the game `before`, unless the version has another reference or other models.
    """
    taps = {
        name: DriftTap(version.reference, panels[name], sources, Random(f"{catalog.game}/{name}"))
        for name, version in catalog.versions.items()
        if version.reference is not None
    }
    for name, earlier in (drift_taps(before) if before is not None else {}).items():
        tap = taps.get(name)
        if tap is not None and earlier.monitor is not None and (earlier.uri, earlier.models) == (tap.uri, tap.models):
            tap.take_over(earlier.monitor)
    return taps


def drift_taps(game: Game) -> dict[str, DriftTap]:
    """Returns the taps of the versions of a game that have a reference, by name."""
    return {
        name: tap
        for name, ensemble in game.ensembles.items()
        for tap in ensemble.version.taps
        if isinstance(tap, DriftTap)
    }
