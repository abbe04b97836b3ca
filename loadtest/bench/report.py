"""The tables of a benchmark, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from loadtest.bench.aims import Aim
from loadtest.bench.results import Simulated, Trained
from loadtest.latency import Level, ratio
from loadtest.workloads import S15, W15


def print_trained(console: Console, w15: Trained) -> None:
    """Loads side by side, then what the mesh costs."""
    console.print(_loads_table(w15), _costs_table(w15))
    held = w15.footprint
    console.print(
        f"Memory (PSS): supervisor {held.supervisor_pss_mb:.0f} MB, largest worker {held.worker_pss_mb:.0f} MB, "
        f"mesh {held.mesh_pss_mb:.0f} MB; monolith {held.monolith_pss_mb:.0f} MB.\n"
        f"First full answer {held.first_answer_s:.2f} s after the start."
    )


def print_simulated(console: Console, s15: Simulated) -> None:
    """The mesh beside the ideal mesh at each load; CPU is the supervisor's and that of all replicas, in cores."""
    table = Table(title=f"S15: {S15.title}")
    for column in ("load", "p50 ms", "limit", "ratio", "p95 ms", "limit", "ratio", "CPU"):
        table.add_column(column, justify="right")
    for load, point in s15.items():
        p50 = _against(point.p50_ms, point.limit_p50_ms)
        cpu = f"{point.supervisor_cpu:.0%} + {point.replicas_cpu:.0%}"
        p95 = _against(point.p95_ms, point.limit_p95_ms)
        table.add_row(f"{load:.0%}", *p50, *p95, cpu)
    console.print(table)


def print_aims(console: Console, aims: Sequence[Aim]) -> None:
    """Whether each aim is met."""
    table = Table(title="Aims")
    for column in ("aim", "measured", "bound", ""):
        table.add_column(column, justify="left" if column == "aim" else "right")
    for aim in aims:
        bound = f"{'≥' if aim.at_least else '≤'} {aim.bound:g}"
        table.add_row(aim.text, f"{aim.measured:.2f}", bound, "[green]met[/]" if aim.met else "[red]missed[/]")
    console.print(table)


def _loads_table(w15: Trained) -> Table:
    table = Table(title=f"W15: {W15.title}")
    for column in ("callers", "system", "rps", "p50 ms", "p95 ms", "p99 ms", "rps ratio", "p50 ratio"):
        table.add_column(column, justify="left" if column == "system" else "right")
    for callers, mesh in w15.mesh.items():
        monolith = w15.monolith[callers]
        ratios = ratio(mesh.rps, monolith.rps), ratio(mesh.p50_ms, monolith.p50_ms)
        table.add_row(str(callers), "mesh", *_cells(mesh), *(f"{value:.2f}" for value in ratios))
        table.add_row("", "monolith", *_cells(monolith), end_section=True)
    return table


def _costs_table(w15: Trained) -> Table:
    table = Table(title="W15: what a request costs the mesh")
    for column in ("callers", "supervisor CPU us", "workers CPU us", "mean cohort"):
        table.add_column(column, justify="right")
    for callers, cost in w15.costs.items():
        cpu = (f"{cost.supervisor_cpu_us:.0f}", f"{cost.worker_cpu_us:.0f}")
        table.add_row(str(callers), *cpu, f"{cost.mean_cohort:.1f}")
    return table


def _cells(level: Level) -> tuple[str, ...]:
    return f"{level.rps:,.0f}", f"{level.p50_ms:.1f}", f"{level.p95_ms:.1f}", f"{level.p99_ms:.1f}"


def _against(measured_ms: float, limit_ms: float) -> tuple[str, ...]:
    return f"{measured_ms:.1f}", f"{limit_ms:.1f}", f"{ratio(measured_ms, limit_ms):.2f}"
