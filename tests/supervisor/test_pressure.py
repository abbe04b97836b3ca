"""The larger of two shares counts: this loop's own, and what the workers report."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from supervisor import pressure
from supervisor.pressure import GATE, REPORT_LASTS_S, Pressure


class Bench:
    """A gauge whose own share and clock a test sets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s, self.own = 100.0, 0.0
        patch.setattr(pressure, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        patch.setattr(pressure, "CpuStarvation", lambda: SimpleNamespace(share=lambda: self.own))
        self.gauge = Pressure()

    def report(self, share: float, times: int = 100) -> None:
        for _ in range(times):
            self.gauge.report(share)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_an_idle_machine_is_not_starved(bench: Bench) -> None:
    assert (bench.gauge.share(), bench.gauge.is_starved()) == (0.0, False)


def test_the_loops_own_share_shuts_the_gate(bench: Bench) -> None:
    bench.own = GATE + 0.01
    assert bench.gauge.is_starved()


def test_what_the_workers_report_shuts_the_gate(bench: Bench) -> None:
    bench.report(0.9)
    assert bench.gauge.is_starved()


def test_one_workers_hiccup_does_not(bench: Bench) -> None:
    bench.report(1.0, times=1)
    assert not bench.gauge.is_starved()


def test_old_reports_count_no_more(bench: Bench) -> None:
    bench.report(0.9)
    bench.now_s += REPORT_LASTS_S
    assert not bench.gauge.is_starved()


@pytest.mark.parametrize("share", [math.nan, math.inf, 1e300])
def test_a_report_that_makes_no_sense_blinds_nobody(bench: Bench, share: float) -> None:
    bench.report(share, times=1)
    bench.report(0.9)
    assert GATE < bench.gauge.share() <= 1.0
