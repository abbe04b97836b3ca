"""Simulated pods over time, and their CPU in metrics-server."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoscaling.cluster.pods import Fleet, StartTimes

QUICK = StartTimes(schedule_s=1.0, image_s=2.0, load_s=1.0, load_cpu_s=0.6, spread=0.0)


@pytest.fixture
def fleet() -> Fleet:
    """A fleet of two ready pods that use 300m each in every step."""
    found = Fleet("d", "worker", 0.5, 0, QUICK)
    found.begin(2)
    for _ in range(8):
        found.used(0.3)
    return found


def test_usage_of_a_settled_pod_is_the_mean_of_the_last_window(fleet: Fleet) -> None:
    fleet.used(0.6)  # from 120 s to 135 s
    samples = fleet.cpu_samples(now_s=131.0, phase_s=5.0)
    # the last two scrapes were at 110 s and 125 s: 10 s at 300m and 5 s at 600m
    assert {sample.value_m for sample in samples.values()} == {400}
    assert {(sample.at_s, sample.window_s) for sample in samples.values()} == {(125.0, 15.0)}


def test_new_pod_is_pending_then_running_then_ready(fleet: Fleet) -> None:
    fleet.scale(3, now_s=60.0)
    (pod,) = fleet.pending()
    assert (pod.observed.phase, pod.observed.start_s, pod.observed.ready) == ("Pending", None, None)
    fleet.schedule(pod, 60.0, np.random.default_rng(0))
    fleet.advance(61.5)
    assert (pod.observed.phase, pod.observed.start_s, pod.observed.ready) == ("Pending", 61.0, False)
    fleet.advance(63.5)
    assert (pod.observed.phase, pod.observed.ready) == ("Running", False)
    fleet.advance(66.0)
    assert (pod.observed.ready, pod.observed.ready_since_s) == (True, float(math.floor(pod.ready_s)))
    assert fleet.ready(66.0) == 3


def test_new_pod_has_no_usage_until_it_is_ten_seconds_old_at_a_scrape(fleet: Fleet) -> None:
    fleet.scale(3, now_s=60.0)
    (pod,) = fleet.pending()
    fleet.schedule(pod, 60.0, np.random.default_rng(0))  # its container starts at 63 s
    fleet.advance(70.0)
    assert pod.name not in fleet.cpu_samples(now_s=71.0, phase_s=10.0)  # scraped at 70 s
    samples = fleet.cpu_samples(now_s=86.0, phase_s=10.0)  # scraped at 85 s, 22 s old
    assert samples[pod.name].window_s == 15.0


def test_first_usage_of_a_new_pod_includes_loading_the_model(fleet: Fleet) -> None:
    fleet.scale(3, now_s=60.0)
    (pod,) = fleet.pending()
    fleet.schedule(pod, 60.0, np.random.default_rng(0))
    sample = fleet.cpu_samples(now_s=76.0, phase_s=0.0)[pod.name]  # scraped at 75 s, 12 s old
    worked_s = 75.0 - pod.ready_s
    assert sample.window_s == 12.0
    assert sample.value_m == pytest.approx(1000 * (0.6 + 0.3 * worked_s) / 12, abs=1)


def test_youngest_pods_are_deleted_first_and_removed_after_their_drain(fleet: Fleet) -> None:
    fleet.scale(4, now_s=10.0)
    for pod in list(fleet.pending()):
        fleet.schedule(pod, 10.0, np.random.default_rng(0))
    fleet.advance(30.0)
    fleet.scale(2, now_s=30.0)
    assert [pod.deleted_s for pod in fleet.pods] == [math.inf, math.inf, 30.0, 30.0]
    assert [pod.deleting for pod in fleet.observed] == [False, False, True, True]
    assert fleet.ready(31.0) == 2
    fleet.advance(40.0)
    assert len(fleet.pods) == 2


def test_deleted_pod_without_a_node_is_no_longer_pending(fleet: Fleet) -> None:
    fleet.scale(5, now_s=10.0)
    fleet.scale(2, now_s=12.0)
    assert not list(fleet.pending())
