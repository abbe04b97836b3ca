"""The trial of fairness: its schedule, its report, and a short run against a real supervisor."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadtest.fairness.mesh import mesh_with_callers
from loadtest.fairness.report import report_of
from loadtest.fairness.trial import CALLERS, CRITICAL, FLOOD, Phase, Run, phases, run_phase
from loadtest.simulated.service_times import Lognormal
from loadtest.workloads import SimulatedEnsemble

QUICK = SimulatedEnsemble("quick", "", models=2, replicas=1, service=Lognormal(0.001, 0.1), players=20, quorum=2)
ALONE, BESIDE, OVERLOAD = phases(120.0, polite_share=0.5, flood_times=100.0)


def run_of(phase: Phase, p99_ms: float = 80.0, **watched: int) -> Run:
    return Run(phase, Counter(watched), 50.0, p99_ms, Counter(full=40, refused=1160), 1.0, {"supervisor": 0.5})


def test_flood_is_a_hundred_times_the_share_of_a_caller() -> None:
    assert sum(BESIDE.watched.values()) == pytest.approx(60.0)
    assert BESIDE.load == {FLOOD: pytest.approx(1200.0)}
    assert ALONE.watched == BESIDE.watched
    assert not ALONE.load
    everybody = {**OVERLOAD.watched, **OVERLOAD.load}
    assert sum(everybody.values()) == pytest.approx(5 * 120.0)
    assert set(everybody) < set(CALLERS)


def test_aims_are_those_of_the_watched_callers() -> None:
    good = [run_of(ALONE, full=600), run_of(BESIDE, 110.0, full=600), run_of(OVERLOAD, full=1000)]
    assert [aim.met for aim in report_of(good, "a machine").aims] == [True, True, True]
    bad = [run_of(ALONE, full=600), run_of(BESIDE, 130.0, full=599, refused=1), run_of(OVERLOAD, full=998, late=2)]
    assert [aim.met for aim in report_of(bad, "a machine").aims] == [False, False, False]


@pytest.mark.whole_machine
async def test_callers_with_tokens_get_answers_from_simulated_replicas_over_tls(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    phase = Phase("both", {"polite-1": 20.0}, {FLOOD: 20.0, CRITICAL: 5.0})
    async with mesh_with_callers(QUICK, CALLERS, tmp_path, tmp_path / "logs", seed=1) as mesh:
        run = await run_phase(mesh, QUICK, phase, seconds=1.0, seed=1)
    assert run.watched["full"] > 0
    assert run.load["full"] > 0
    assert run.watched["error"] == run.load["error"] == 0
