"""The report of `loadtest shadow`: medians by factor and share, and the aims."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.run.summary import Generator, Latencies, Summary
from loadtest.shadow.report import report_of
from loadtest.shadow.trial import CATALOG, Run, write_catalog
from loadtest.workloads import W15
from mesh.catalog import catalog as catalogs


def run(factor: float, share: float, p99_ms: float, full: int = 1000) -> Run:
    """A run of 10 s with a p50 of half the p99."""
    times = (p99_ms / 2, p99_ms, p99_ms, p99_ms, p99_ms, p99_ms)
    summary = Summary(
        seconds=10.0,
        offered_rps=100.0,
        sent_rps=100.0,
        answered_rps=100.0,
        classes={"full": full, "fallback": 1000 - full},
        codes={"OK": 1000},
        latencies=Latencies(times, times, times),
        stages_ms={},
        last={},
        tail={},
        series=(),
        generator=Generator(1, 0.1, "ordinary"),
    )
    return Run(
        factor, share, summary, {"compared": 500 if share else 0}, {"supervisor": 0.5, "live": 0.5, "shadow": 0.1}
    )


def aims(runs: list[Run]) -> dict[str, tuple[float, bool]]:
    return {aim.text: (pytest.approx(aim.measured), aim.met) for aim in report_of(runs, 200.0, "a machine").aims}  # type: ignore[misc]


def test_aims_compare_the_medians_of_the_rounds() -> None:
    runs = [
        *(run(0.5, 0.0, p99_ms) for p99_ms in (8.0, 10.0, 30.0)),
        *(run(0.5, 100.0, p99_ms) for p99_ms in (9.0, 10.8, 50.0)),
        run(1.6, 0.0, 50.0, full=800),
        run(1.6, 100.0, 50.0, full=700),
    ]
    assert aims(runs) == {
        "0.5 x knee: p50 with shadow - without, ms": (0.4, True),
        "0.5 x knee: p99 with shadow - without, ms": (0.8, True),
        "1.6 x knee: full answers, with / without": (0.875, False),
    }


def test_two_percent_of_a_high_latency_are_allowed() -> None:
    slow = [run(0.5, 0.0, 100.0), run(0.5, 100.0, 101.9)]
    assert aims(slow)["0.5 x knee: p99 with shadow - without, ms"][1]
    slower = [run(0.5, 0.0, 100.0), run(0.5, 100.0, 102.1)]
    assert not aims(slower)["0.5 x knee: p99 with shadow - without, ms"][1]


def test_catalog_has_a_shadow_with_the_same_models_in_another_order(tmp_path: Path) -> None:
    write_catalog(W15, tmp_path, 100)
    live, shadow = catalogs.load(tmp_path / CATALOG).versions.values()
    assert (live.traffic, live.shadow, shadow.traffic, shadow.shadow) == (100, 0, 0, 100)
    assert [model.uri for model in shadow.models] != [model.uri for model in live.models]
    assert {model.uri for model in shadow.models} == {model.uri for model in live.models}
