"""The report of the trial: the answers of the watched callers in each phase, and the aims."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from loadtest.fairness.trial import Phase, Run
from loadtest.measurement.aims import Aim
from loadtest.report import Report

MOST_P99 = 1.5  # beside a flood, as a multiple of the p99 without it
LEAST_CRITICAL = 0.999


def report_of(runs: Sequence[Run], machine: str) -> Report:
    """The report of all runs, whose phases are those of `phases` in each round."""
    return Report({"machine": machine, "runs": [_document(run) for run in runs]}, [_table(runs)], list(_aims(runs)))


def _document(run: Run) -> dict[str, Any]:
    return {
        "phase": run.phase.name,
        "watched_rps": sum(run.phase.watched.values()),
        "load_rps": sum(run.phase.load.values()),
        "seconds": run.seconds,
        "watched": dict(run.watched),
        "p50_ms": run.p50_ms,
        "p99_ms": run.p99_ms,
        "load": dict(run.load),
        "cores": dict(run.cores),
        "failures": dict(run.failures),
    }


def _of(runs: Sequence[Run], phase: Phase) -> list[Run]:
    return [run for run in runs if run.phase.name == phase.name]


def _phases(runs: Sequence[Run]) -> list[Phase]:
    return list({run.phase.name: run.phase for run in runs}.values())


def _table(runs: Sequence[Run]) -> Table:
    table = Table(title="The watched callers: sums of the rounds, and medians of the times")
    table.add_column("phase")
    columns = (
        "requests/s",
        "load/s",
        "answers",
        "full",
        "not full",
        "p50 ms",
        "p99 ms",
        "load full/s",
        "supervisor's CPU",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for phase in _phases(runs):
        of_phase = _of(runs, phase)
        watched: Counter[str] = sum((run.watched for run in of_phase), Counter())
        load_rps = statistics.median(run.load["full"] / run.seconds for run in of_phase)
        table.add_row(
            phase.name,
            f"{sum(phase.watched.values()):,.0f}",
            f"{sum(phase.load.values()):,.0f}",
            f"{watched.total():,}",
            f"{watched['full']:,}",
            f"{watched.total() - watched['full']:,}",
            *(f"{statistics.median(getattr(run, name) for run in of_phase):.0f}" for name in ("p50_ms", "p99_ms")),
            f"{load_rps:,.0f}",
            f"{statistics.median(run.cores['supervisor'] for run in of_phase):.2f}",
        )
    return table


def _aims(runs: Sequence[Run]) -> Iterator[Aim]:
    alone, beside, critical = _phases(runs)
    watched: Counter[str] = sum((run.watched for run in _of(runs, beside)), Counter())
    yield Aim("polite beside a flood: answers that are not full", watched.total() - watched["full"], 0)
    p99s_ms = [statistics.median(run.p99_ms for run in _of(runs, phase)) for phase in (alone, beside)]
    yield Aim("polite: p99 beside a flood, as a multiple of that without", p99s_ms[1] / p99s_ms[0], MOST_P99)
    answers: Counter[str] = sum((run.watched for run in _of(runs, critical)), Counter())
    yield Aim(
        "critical at 5x overload: share of full answers",
        answers["full"] / answers.total(),
        LEAST_CRITICAL,
        at_least=True,
    )
