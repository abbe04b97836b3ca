"""The table and the JSON document of handshakes beside valid traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from loadtest.handshakes.trial import SUPERVISOR, Run, cpu_ms_per_handshake

_BUSY = 0.9  # cores of the opener: more connections would need a second one


def table_of(runs: Sequence[Run], rps: float) -> Table:
    """A row for each rate of new connections."""
    table = Table(title=f"New connections with full handshakes, beside {rps:,.0f} requests per second")
    for column in ("asked/s", "handshakes/s", "p99 ms", "failed", "CPU ms", "supervisor", "requests: p50 ms"):
        table.add_column(column, justify="right")
    for column in ("p99 ms", "not answered"):
        table.add_column(column, justify="right")
    for run in runs:
        table.add_row(*_cells(run, runs[0]))
    return table


def _cells(run: Run, without: Run) -> Iterator[str]:
    found, cpu_ms = run.handshakes, cpu_ms_per_handshake(run, without)
    yield "all" if run.asked_per_s is None else f"{run.asked_per_s:,.0f}"
    yield from ("-",) * 3 if found is None else _of_handshakes(run)
    yield "-" if cpu_ms is None else f"{cpu_ms:.2f}"
    yield f"{run.cores[SUPERVISOR]:.2f}" if SUPERVISOR in run.cores else "-"
    yield from (f"{run.summary.percentile_ms(percent):.2f}" for percent in (50, 99))
    yield f"{_unanswered(run):,}"


def _of_handshakes(run: Run) -> Iterator[str]:
    found = run.handshakes
    assert found is not None
    yield from (f"{found.accepted_per_s:,.0f}", f"{found.p99_ms:.1f}", f"{sum(found.failed.values()):,}")


def _unanswered(run: Run) -> int:
    return sum(run.summary.classes[name] for name in ("error", "refused", "late", "unsent"))


def document_of(runs: Sequence[Run], rps: float) -> dict[str, Any]:
    """The JSON document, which `--json` prints."""
    return {"rps": rps, "runs": [_document(run, runs[0]) for run in runs]}


def _document(run: Run, without: Run) -> dict[str, Any]:
    found = run.handshakes
    return {
        "asked_per_s": run.asked_per_s,
        "accepted_per_s": found.accepted_per_s if found else 0.0,
        "failed": dict(found.failed) if found else {},
        "handshake_p50_ms": found.p50_ms if found else None,
        "handshake_p99_ms": found.p99_ms if found else None,
        "opener_cpu": found.opener_cpu if found else 0.0,
        "cpu_ms_per_handshake": cpu_ms_per_handshake(run, without),
        "cores": dict(run.cores),
        "p50_ms": run.summary.percentile_ms(50),
        "p99_ms": run.summary.percentile_ms(99),
        "classes": dict(run.summary.classes),
    }


def doubts_of(runs: Sequence[Run]) -> Iterator[str]:
    """The rates at which the opener, and not the supervisor, was the limit."""
    for run in runs:
        if run.handshakes is not None and run.handshakes.opener_cpu > _BUSY:
            yield f"{line_start(run)}: the process that opens the connections used {run.handshakes.opener_cpu:.0%} CPU"


def line_start(run: Run) -> str:
    """The name of a run in a line."""
    return "as many connections as possible" if run.asked_per_s is None else f"{run.asked_per_s:,.0f} connections/s"
