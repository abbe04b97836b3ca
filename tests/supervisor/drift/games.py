"""Games whose versions have a tap for drift, without models and requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

from supervisor.drift.places import FeaturePlaces
from supervisor.drift.tap import DriftTap
from tests.supervisor.drift.streams import COLUMNS, KNOWN, MODELS, SOURCES, draw, reference, samples_of


def panel(models: tuple[str, ...] = MODELS) -> Any:
    """Returns the parts of a panel that a tap reads."""
    plan = SimpleNamespace(header=SimpleNamespace(categories={name: tuple(values) for name, values in KNOWN.items()}))
    return SimpleNamespace(models=models, pools=[SimpleNamespace(plan=plan)])


def tap_of(uri: object, clock: Callable[[], float] = time.monotonic) -> DriftTap:
    """Returns a tap without a reference."""
    return DriftTap(str(uri), panel(), SOURCES, Random(1), clock)


def game_of(**found: DriftTap) -> Any:
    """Returns a game whose versions have these taps."""
    ensembles = {name: SimpleNamespace(version=SimpleNamespace(taps=(object(), tap))) for name, tap in found.items()}
    return SimpleNamespace(ensembles=ensembles)


def drifting_game() -> Any:
    """Returns a game that has compared 600 requests."""
    tap = tap_of("reference.json")
    tap.use(reference())
    monitor = tap.monitor
    assert monitor is not None
    samples = samples_of(draw(np.random.default_rng(1), 600))
    places = FeaturePlaces(monitor.layout, COLUMNS, SOURCES, KNOWN)
    monitor.add(places.find(samples), np.array([one.votes for one in samples]))
    return game_of(one=tap)
