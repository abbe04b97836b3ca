"""The monitor: its windows forget old requests, and keep enough of few requests."""

from __future__ import annotations

import numpy as np
import pytest

from mesh.drift.findings import MIN_SAMPLES, find
from mesh.drift.reference import Reference
from supervisor.drift.monitor import MAX_WINDOW_S, WINDOW_S, Monitor
from supervisor.drift.places import FeaturePlaces
from tests.supervisor.drift.streams import COLUMNS, KNOWN, MODELS, SOURCES, Stream, draw, reference, samples_of


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def known() -> Reference:
    return reference()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(known: Reference, clock: Clock) -> Monitor:
    return Monitor(known, MODELS, clock)


def add(monitor: Monitor, stream: Stream) -> None:
    places = FeaturePlaces(monitor.layout, COLUMNS, SOURCES, KNOWN)
    samples = samples_of(stream)
    monitor.add(places.find(samples), np.array([one.votes for one in samples]))


def requests(count: int, *, level: float = 0.0, seed: int = 1) -> Stream:
    stream = draw(np.random.default_rng(seed), count)
    stream.values["level"] += level
    return stream


def drifted(monitor: Monitor) -> set[str]:
    return {one.name for one in find(monitor.layout, monitor.counts()) if one.severity >= 1}


def test_change_is_found_within_minutes_and_forgotten_after_two_windows(monitor: Monitor, clock: Clock) -> None:
    def second(count: int, level: float) -> None:
        clock.now_s += 1
        add(monitor, requests(count, level=level, seed=int(clock.now_s)))

    for _ in range(600):
        second(16, 0.0)
    assert drifted(monitor) == set()
    found_after_s = 0
    while not drifted(monitor):
        second(16, 10.0)
        found_after_s += 1
    assert found_after_s < WINDOW_S
    for _ in range(int(2 * WINDOW_S) + 1):
        second(16, 0.0)
    assert drifted(monitor) == set()


def test_window_of_few_requests_lasts_until_it_has_enough(monitor: Monitor, clock: Clock) -> None:
    for _ in range(2 * MIN_SAMPLES // 50):
        clock.now_s += WINDOW_S
        add(monitor, requests(50))
    assert monitor.counts().samples >= MIN_SAMPLES


def test_windows_never_last_longer_than_two_hours(monitor: Monitor, clock: Clock) -> None:
    add(monitor, requests(100))
    clock.now_s += MAX_WINDOW_S
    add(monitor, requests(10))
    assert monitor.counts().samples == 110
    clock.now_s += MAX_WINDOW_S
    add(monitor, requests(1))
    assert monitor.counts().samples == 11
    clock.now_s += 2 * MAX_WINDOW_S
    assert monitor.counts().samples == 0
    add(monitor, requests(1))
    assert monitor.counts().samples == 1
    assert monitor.sampled == 112


def test_score_of_a_model_outside_the_reference_is_left_out(known: Reference) -> None:
    monitor = Monitor(known, ("whales", "new", "pvp", "lapsed"))
    stream = requests(MIN_SAMPLES)
    wider = np.insert(stream.votes, 1, 99.0, axis=1)
    places = FeaturePlaces(monitor.layout, COLUMNS, SOURCES, KNOWN)
    monitor.add(places.find(samples_of(stream)), wider)
    assert drifted(monitor) == set()
