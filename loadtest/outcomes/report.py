"""The report: latencies and full answers beside each load of reports, as medians of the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.table import Table

from loadtest.measurement.aims import Aim
from loadtest.outcomes.flood import TAKEN
from loadtest.outcomes.trial import NOTHING, Load, Run
from loadtest.report import Report

MORE_MS, MORE_SHARE = 2.0, 0.15  # the p99 beside reports may be higher by the larger of the two
LEAST_FULL = 0.99


def report_of(runs: Sequence[Run], rps: float, machine: str) -> Report:
    """The report of all runs."""
    document = {"machine": machine, "rps": rps, "runs": [_document(run) for run in runs]}
    return Report(document, [_table(runs, rps)], list(_aims(runs)))


def _document(run: Run) -> dict[str, Any]:
    return {
        "load": run.load.name,
        "p50_ms": run.summary.percentile_ms(50),
        "p95_ms": run.summary.percentile_ms(95),
        "p99_ms": run.summary.percentile_ms(99),
        "whole_rps": run.summary.whole_rps,
        "classes": dict(run.summary.classes),
        "reports": run.reports,
        "cores": run.cores,
        "generator_cpu": run.summary.generator.cpu,
    }


def _median(runs: Sequence[Run], load: Load, value: Callable[[Run], float]) -> float:
    return statistics.median(value(run) for run in runs if run.load == load)


def _taken_rps(run: Run) -> float:
    return run.reports.get(TAKEN, 0) / run.summary.seconds


def _refused_rps(run: Run) -> float:
    return (sum(run.reports.values()) - run.reports.get(TAKEN, 0)) / run.summary.seconds


def _whole_rps(run: Run) -> float:
    return run.summary.whole_rps


def _percentile_ms(runs: Sequence[Run], load: Load, percent: float) -> float:
    return _median(runs, load, lambda run: run.summary.percentile_ms(percent))


def _table(runs: Sequence[Run], rps: float) -> Table:
    table = Table(title=f"Medians of the rounds; {rps:,.0f} requests per second")
    table.add_column("outcomes")
    for column in ("taken/s", "refused/s", "p50 ms", "p95 ms", "p99 ms", "full/s", "supervisor's CPU"):
        table.add_column(column, justify="right")
    for load in dict.fromkeys(run.load for run in runs):
        rates = [_median(runs, load, of) for of in (_taken_rps, _refused_rps)]
        times = [_percentile_ms(runs, load, percent) for percent in (50, 95, 99)]
        whole, cpu = (_median(runs, load, of) for of in (_whole_rps, lambda run: run.cores["supervisor"]))
        cells = [*(f"{rate:,.0f}" for rate in rates), *(f"{time_ms:.2f}" for time_ms in times)]
        table.add_row(load.name, *cells, f"{whole:,.0f}", f"{cpu:.2f}")
    return table


def _aims(runs: Sequence[Run]) -> Iterator[Aim]:
    without_ms, without_rps = _percentile_ms(runs, NOTHING, 99), _median(runs, NOTHING, _whole_rps)
    for load in dict.fromkeys(run.load for run in runs if run.load != NOTHING):
        more_ms = _percentile_ms(runs, load, 99) - without_ms
        yield Aim(f"{load.name}: p99 with - without, ms", more_ms, max(MORE_MS, MORE_SHARE * without_ms))
        share = _median(runs, load, _whole_rps) / without_rps
        yield Aim(f"{load.name}: full answers, with / without", share, LEAST_FULL, at_least=True)
