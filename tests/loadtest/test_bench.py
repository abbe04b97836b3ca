"""`loadtest bench`: a preset of the comparison with its own options and its own document."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace

import pytest

from loadtest.compare import bench
from loadtest.compare.aims import aims
from loadtest.compare.documents import bench_document
from loadtest.compare.results import Comparison, Figures, Outcome, PartMemory, figures_of
from loadtest.measurement.aims import Aim
from loadtest.measurement.latency import Level, median
from loadtest.measurement.point import Point
from loadtest.workloads import S15, W15

MESH_PARTS = {"supervisor": PartMemory(70.0, 70.0), "workers": PartMemory(830.0, 52.0)}


def trained(mesh_rps: Mapping[float, float], monolith_rps: float = 500.0, first_answer_s: float = 2.0) -> Comparison:
    mesh: dict[float, Figures] = {
        callers: Figures(
            rps,
            5.0,
            8.0,
            9.0,
            callers * 30.0,
            1.0,
            {"supervisor": callers * 10.0, "workers": callers * 20.0},
            callers / 2,
        )
        for callers, rps in mesh_rps.items()
    }
    monolith: dict[float, Figures] = {
        callers: Figures(monolith_rps, 3.0, 4.0, 5.0, 4000.0, 1.0) for callers in mesh_rps
    }
    systems = {"mesh": Outcome(mesh, 900.0, first_answer_s, MESH_PARTS), "monolith": Outcome(monolith, 240.0, 3.0)}
    return Comparison(W15, systems, {})


def simulated(figures: Figures, limit: Figures) -> Comparison:
    loads = (0.1, 0.4, 0.7)
    return Comparison(S15, {"mesh": Outcome(dict.fromkeys(loads, figures), 90.0, 0.5)}, dict.fromkeys(loads, limit))


RESULT = trained({1: 150.0, 8: 500.0, 64: 1600.0, 256: 1200.0})
FIGURES = Figures(84.0, 46.0, 55.0, 60.0, 2000.0, 1.0)
LIMIT = Figures(84.0, 42.5, 49.5, 55.0, 0.0, 1.0)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_options(parser)
    return parser.parse_args(words)


def test_bench_runs_both_workloads_by_default() -> None:
    assert (parsed().only, parsed().rounds, parsed().seconds) == (None, 3, None)
    assert (parsed().engine, parsed("--engine", "lightgbm").engine) == (None, "lightgbm")
    assert parsed("--only", "s15", "--rounds", "1", "--seconds", "0.5").seconds == 0.5


@pytest.mark.parametrize(
    "words",
    [
        ["--rounds", "0"],
        ["--rounds", "1.5"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--only", "w16"],
        ["--engine", "xgboost"],
    ],
    ids=" ".join,
)
def test_invalid_option_value_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        parsed(*words)
    assert refusal.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_document_has_the_agreed_keys() -> None:
    document = bench_document([RESULT, simulated(FIGURES, LIMIT)])
    levels = {"rps", "p50_ms", "p95_ms", "p99_ms"}
    costs = {"supervisor_cpu_us", "worker_cpu_us", "supervisor_pss_mb", "worker_pss_mb", "first_answer_s"}
    assert set(document) == {"w15", "s15"}
    assert set(document["w15"]) == {"mesh", "monolith"} | costs
    for system in ("mesh", "monolith"):
        assert set(document["w15"][system]) == {"1", "8", "64", "256"}
        assert all(set(level) == levels for level in document["w15"][system].values())
    assert set(document["s15"]) == {"0.1", "0.4", "0.7"}
    assert document["s15"]["0.7"] == {"p50_ms": 46.0, "p95_ms": 55.0, "limit_p50_ms": 42.5, "limit_p95_ms": 49.5}


def test_document_has_only_the_measured_workloads() -> None:
    assert set(bench_document([RESULT])) == {"w15"}
    assert set(bench_document([simulated(FIGURES, LIMIT)])) == {"s15"}


def test_document_has_the_cpu_at_the_best_rate_and_the_memory_of_the_mesh() -> None:
    w15 = bench_document([RESULT])["w15"]
    assert (w15["supervisor_cpu_us"], w15["worker_cpu_us"]) == (640.0, 1280.0)
    assert (w15["supervisor_pss_mb"], w15["worker_pss_mb"], w15["first_answer_s"]) == (70.0, 52.0, 2.0)


def test_one_bad_round_of_three_changes_no_figure() -> None:
    bad = trained({1: 1.0, 8: 1.0, 64: 1.0, 256: 1.0}, monolith_rps=1.0, first_answer_s=60.0)
    assert median([RESULT.systems, bad.systems, RESULT.systems]) == RESULT.systems
    slow = Figures(1.0, 900.0, 999.0, 999.0, 9e6, 0.1)
    limits = simulated(FIGURES, LIMIT).limit
    assert median([dict.fromkeys(limits, slow), limits, limits]) == limits


def test_best_rates_are_compared_at_any_number_of_callers() -> None:
    best, *_ = aims([RESULT])
    assert (best.measured, best.met) == (3.2, True)


def test_w15_has_aims_for_latency_memory_and_start_too() -> None:
    assert [(aim.text, aim.measured, aim.bound) for aim in aims([RESULT])[1:]] == [
        ("W15 p50 at 1 caller(s), times the monolith's", pytest.approx(5 / 3), 2.0),
        ("W15 memory of the largest worker, MB", 52.0, 55.0),
        ("W15 first full answer, s", 2.0, 3.0),
    ]


@pytest.mark.parametrize(("load", "p50_bound", "p95_bound"), [(0.1, 1.12, 1.12), (0.4, 1.12, 1.12), (0.7, 1.15, 1.30)])
def test_aims_near_the_limit_are_the_agreed_ones(load: float, p50_bound: float, p95_bound: float) -> None:
    at_the_limit = simulated(LIMIT, LIMIT)
    one_load = replace(at_the_limit, limit={load: at_the_limit.limit[load]})
    assert [(aim.measured, aim.bound) for aim in aims([one_load])] == [(1.0, p50_bound), (1.0, p95_bound)]


def test_aim_is_a_lower_or_an_upper_bound() -> None:
    assert [Aim("", 2.5, 2.0, at_least=True).met, Aim("", 2.5, 2.0).met] == [True, False]


def test_cpu_of_each_part_is_per_answer() -> None:
    point = Point(4.0, Level(500, 1, 2, 3), 1000, {}, 0.0, {"supervisor": 0.5, "workers": 2.0}, 10.0)
    figures = figures_of(point)
    assert figures.part_cpu_us == {"supervisor": 500.0, "workers": 2000.0}
    assert (figures.cpu_us, figures.mean_cohort) == (2500.0, 10.0)
