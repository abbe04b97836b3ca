"""The tables of a comparison, for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from loadtest.compare.results import Comparison, Figures, Outcome, best_rps
from loadtest.latency import ratio
from loadtest.workloads import SimulatedEnsemble


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Loads, with the systems side by side, then best rates and memory."""
    console.print(_loads_table(comparison), _totals_table(comparison))


def _loads_table(comparison: Comparison) -> Table:
    workload = comparison.workload
    simulated = isinstance(workload, SimulatedEnsemble)
    table = Table(title=f"{workload.game.upper()}: {workload.title}")
    columns = ("load" if simulated else "callers", "system", "rps", "p50 ms", "p95 ms", "p99 ms", "CPU us", "full")
    for column in (*columns, "p50 over the limit's" if simulated else "rps, mesh over it", "p95"):
        table.add_column(column, justify="left" if column == "system" else "right")
    for load in {load: None for outcome in comparison.systems.values() for load in outcome.loads}:
        told = f"{load:.0%}" if simulated else f"{load:g}"
        for name, outcome in comparison.systems.items():
            table.add_row(told, name, *_cells(outcome.loads[load]), *_compared(comparison, name, load))
            told = ""
        table.add_section()
    return table


def _compared(comparison: Comparison, name: str, load: float) -> tuple[str, str]:
    figures = comparison.systems[name].loads[load]
    if comparison.limit:
        limit = comparison.limit[load]
        return f"{ratio(figures.p50_ms, limit.p50_ms):.2f}", f"{ratio(figures.p95_ms, limit.p95_ms):.2f}"
    ours = comparison.systems.get("mesh")
    if ours is None or name == "mesh":
        return "", ""
    return f"{ratio(ours.loads[load].rps, figures.rps):.2f}", f"{ratio(ours.loads[load].p95_ms, figures.p95_ms):.2f}"


def _totals_table(comparison: Comparison) -> Table:
    table = Table(title=f"{comparison.workload.game.upper()}: best rate, memory of all processes (PSS)")
    for column in ("system", "best rps", "mesh over it", "MB", "mesh over it", "first answer s"):
        table.add_column(column, justify="left" if column == "system" else "right")
    ours = comparison.systems.get("mesh")
    for name, outcome in comparison.systems.items():
        table.add_row(name, *_totals(outcome, ours if name != "mesh" else None))
    return table


def _totals(outcome: Outcome, ours: Outcome | None) -> tuple[str, ...]:
    faster = f"{ratio(best_rps(ours), best_rps(outcome)):.2f}" if ours else ""
    larger = f"{ratio(ours.pss_mb, outcome.pss_mb):.2f}" if ours else ""
    return f"{best_rps(outcome):,.0f}", faster, f"{outcome.pss_mb:,.0f}", larger, f"{outcome.first_answer_s:.1f}"


def _cells(figures: Figures) -> tuple[str, ...]:
    times = (f"{figures.p50_ms:,.1f}", f"{figures.p95_ms:,.1f}", f"{figures.p99_ms:,.1f}")
    return f"{figures.rps:,.0f}", *times, f"{figures.cpu_us:,.0f}", f"{figures.full:.1%}"
