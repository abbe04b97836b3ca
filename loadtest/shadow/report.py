"""The report: latencies and full answers with and without the shadow, as medians of the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.table import Table

from loadtest.measurement.aims import Aim
from loadtest.report import Report
from loadtest.shadow.trial import Run

MORE_MS, MORE_SHARE = 1.0, 0.02  # the p99 with a shadow may be higher by the larger of the two
LEAST_GOODPUT = 0.97
OVERLOADED = 1.0


def report_of(runs: Sequence[Run], knee_rps: float, machine: str) -> Report:
    """The report of all runs."""
    document = {"machine": machine, "knee_rps": knee_rps, "runs": [_document(run) for run in runs]}
    return Report(document, [_table(runs, knee_rps)], list(_aims(runs)))


def _document(run: Run) -> dict[str, Any]:
    return {
        "factor": run.factor,
        "share": run.share,
        "offered_rps": run.summary.offered_rps,
        "p50_ms": run.summary.percentile_ms(50),
        "p95_ms": run.summary.percentile_ms(95),
        "p99_ms": run.summary.percentile_ms(99),
        "whole_rps": run.summary.whole_rps,
        "classes": dict(run.summary.classes),
        "outcomes": run.outcomes,
        "cores": run.cores,
        "generator_cpu": run.summary.generator.cpu,
    }


def _median(runs: Sequence[Run], factor: float, share: float, value: Callable[[Run], float]) -> float:
    return statistics.median(value(run) for run in runs if (run.factor, run.share) == (factor, share))


def _percentile_ms(runs: Sequence[Run], factor: float, share: float, percent: float) -> float:
    return _median(runs, factor, share, lambda run: run.summary.percentile_ms(percent))


def _compared(run: Run) -> float:
    return run.outcomes.get("compared", 0) / run.summary.requests


def _table(runs: Sequence[Run], knee_rps: float) -> Table:
    table = Table(title=f"Medians of the rounds; knee {knee_rps:,.0f} per second")
    for column in ("x knee", "shadow", "p50 ms", "p95 ms", "p99 ms", "full/s", "compared"):
        table.add_column(column, justify="right")
    for factor, share in dict.fromkeys((run.factor, run.share) for run in runs):
        times = [_percentile_ms(runs, factor, share, percent) for percent in (50, 95, 99)]
        whole, compared = (_median(runs, factor, share, of) for of in (lambda run: run.summary.whole_rps, _compared))
        cells = [f"{time_ms:.2f}" for time_ms in times]
        table.add_row(f"{factor:g}", f"{share:g} %", *cells, f"{whole:,.0f}", f"{compared:.0%}" if share else "-")
    return table


def _aims(runs: Sequence[Run]) -> Iterator[Aim]:
    for factor in dict.fromkeys(run.factor for run in runs):
        if factor < OVERLOADED:
            for percent in (50, 99):
                control, shadow = (_percentile_ms(runs, factor, share, percent) for share in (0.0, 100.0))
                bound = max(MORE_MS, MORE_SHARE * control)
                yield Aim(f"{factor:g} x knee: p{percent} with shadow - without, ms", shadow - control, bound)
        else:
            control, shadow = (
                _median(runs, factor, share, lambda run: run.summary.whole_rps) for share in (0.0, 100.0)
            )
            yield Aim(
                f"{factor:g} x knee: full answers, with / without", shadow / control, LEAST_GOODPUT, at_least=True
            )
