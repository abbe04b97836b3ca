from __future__ import annotations

import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from loadtest.errors import CannotMeasure
from loadtest.measurement.meters import Cohorts, cohorts_in, cpu_s, pss_mb


def test_cohorts_are_summed_over_games_and_versions() -> None:
    registry = CollectorRegistry()
    requests = Histogram("mesh_cohort_requests", "", ["game"], buckets=[1, 8], registry=registry)
    for game, size in [("a", 1), ("a", 4), ("b", 10)]:
        requests.labels(game).observe(size)
    Histogram("mesh_other", "", registry=registry).observe(99)
    assert cohorts_in(generate_latest(registry).decode()) == Cohorts(departed=3, requests=15)


def test_cpu_time_of_a_process_grows_with_its_work() -> None:
    before_s = cpu_s([os.getpid()])
    while os.times().user + os.times().system < before_s + 0.1:
        sum(range(1000))
    assert cpu_s([os.getpid()]) > before_s


def test_memory_of_a_process_is_plausible() -> None:
    assert 5.0 < pss_mb(os.getpid()) < 4000.0


def test_ended_process_is_reported() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(CannotMeasure, match=f"process {process.pid} has ended"):
        cpu_s([process.pid])
