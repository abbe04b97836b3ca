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
from loadtest.run.summary import PERCENTS

MORE_MS, MORE_SHARE = 2.0, 0.15  # the p99 beside reports may be higher by the larger of the two
LEAST_FULL = 0.99


def report_of(runs: Sequence[Run], rps: float, machine: str) -> Report:
    """The report of all runs."""
    document = {"machine": machine, "rps": rps, "runs": [_document(run) for run in runs]}
    return Report(document, [_table(runs, rps)], list(_aims(runs)))


def _percentile(percent: float) -> Callable[[Run], float]:
    """The latency from the schedule, in ms."""
    return lambda run: run.summary.latencies.from_schedule[PERCENTS.index(percent)]


def _document(run: Run) -> dict[str, Any]:
    return {
        "load": run.load.name,
        "p50_ms": _percentile(50)(run),
        "p95_ms": _percentile(95)(run),
        "p99_ms": _percentile(99)(run),
        "whole_rps": run.whole_rps,
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


def _table(runs: Sequence[Run], rps: float) -> Table:
    table = Table(title=f"Medians of the rounds; {rps:,.0f} requests per second")
    table.add_column("outcomes")
    for column in ("taken/s", "refused/s", "p50 ms", "p95 ms", "p99 ms", "full/s", "supervisor's CPU"):
        table.add_column(column, justify="right")
    for load in dict.fromkeys(run.load for run in runs):
        rates = [_median(runs, load, of) for of in (_taken_rps, _refused_rps)]
        times = [_median(runs, load, _percentile(one)) for one in (50, 95, 99)]
        whole, cpu = (
            _median(runs, load, of) for of in (lambda run: run.whole_rps, lambda run: run.cores["supervisor"])
        )
        cells = [*(f"{rate:,.0f}" for rate in rates), *(f"{time_ms:.2f}" for time_ms in times)]
        table.add_row(load.name, *cells, f"{whole:,.0f}", f"{cpu:.2f}")
    return table


def _aims(runs: Sequence[Run]) -> Iterator[Aim]:
    p99, whole = _percentile(99), lambda run: run.whole_rps
    without_ms, without_rps = _median(runs, NOTHING, p99), _median(runs, NOTHING, whole)
    for load in dict.fromkeys(run.load for run in runs if run.load != NOTHING):
        more_ms = _median(runs, load, p99) - without_ms
        yield Aim(f"{load.name}: p99 with - without, ms", more_ms, max(MORE_MS, MORE_SHARE * without_ms))
        share = _median(runs, load, whole) / without_rps
        yield Aim(f"{load.name}: full answers, with / without", share, LEAST_FULL, at_least=True)
