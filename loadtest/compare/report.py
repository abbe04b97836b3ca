"""The tables of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from loadtest.compare.results import Comparison, Figures, Outcome
from loadtest.measurement.latency import ratio
from loadtest.workloads import SimulatedEnsemble


def tables(comparison: Comparison) -> Iterator[Table]:
    """The systems at each load, the CPU of the mesh by part, then best rates and memory."""
    yield _loads_table(comparison)
    if mesh := comparison.systems.get("mesh"):
        yield _parts_table(comparison, mesh)
    yield _totals_table(comparison)


def _loads_table(comparison: Comparison) -> Table:
    workload = comparison.workload
    simulated = isinstance(workload, SimulatedEnsemble)
    table = Table(title=f"{workload.game.upper()}: {workload.title}")
    columns = (_load_column(comparison), "system", "rps", "p50 ms", "p95 ms", "p99 ms", "CPU us", "full")
    ratios = ("p50 / limit", "p95 / limit") if simulated else ("mesh / system: rps", "p50", "p95")
    for column in (*columns, *ratios):
        table.add_column(column, justify="left" if column == "system" else "right")
    for load in {load: None for outcome in comparison.systems.values() for load in outcome.loads}:
        title = _load_title(comparison, load)
        for name, outcome in comparison.systems.items():
            table.add_row(title, name, *_cells(outcome.loads[load]), *_ratios(comparison, name, load))
            title = ""
        table.add_section()
    return table


def _load_column(comparison: Comparison) -> str:
    return "load" if isinstance(comparison.workload, SimulatedEnsemble) else "callers"


def _load_title(comparison: Comparison, load: float) -> str:
    return f"{load:.0%}" if isinstance(comparison.workload, SimulatedEnsemble) else f"{load:g}"


def _ratios(comparison: Comparison, name: str, load: float) -> tuple[str, ...]:
    figures = comparison.systems[name].loads[load]
    if comparison.limit:
        limit = comparison.limit[load]
        return f"{ratio(figures.p50_ms, limit.p50_ms):.2f}", f"{ratio(figures.p95_ms, limit.p95_ms):.2f}"
    mesh = comparison.systems.get("mesh")
    if mesh is None or name == "mesh":
        return ()
    names = ("rps", "p50_ms", "p95_ms")
    return tuple(f"{ratio(getattr(mesh.loads[load], name), getattr(figures, name)):.2f}" for name in names)


def _parts_table(comparison: Comparison, mesh: Outcome) -> Table:
    table = Table(title=f"{comparison.workload.game.upper()}: CPU of the mesh per answer")
    parts = list(mesh.parts)
    for column in (_load_column(comparison), *(f"{part} us" for part in parts), "mean cohort"):
        table.add_column(column, justify="right")
    for load, at in mesh.loads.items():
        cells = [f"{at.part_cpu_us[part]:,.0f}" for part in parts]
        table.add_row(_load_title(comparison, load), *cells, f"{at.mean_cohort:.1f}")
    return table


def _totals_table(comparison: Comparison) -> Table:
    table = Table(title=f"{comparison.workload.game.upper()}: best rate, and memory (PSS) of all processes")
    columns = ("system", "best rps", "mesh / system", "MB", "mesh / system", "largest process MB", "first answer s")
    for column in columns:
        table.add_column(column, justify="left" if column == "system" else "right")
    mesh = comparison.systems.get("mesh")
    for name, outcome in comparison.systems.items():
        table.add_row(name, *_totals(outcome, mesh if name != "mesh" else None))
    return table


def _totals(outcome: Outcome, mesh: Outcome | None) -> tuple[str, ...]:
    faster = f"{ratio(mesh.best_rps, outcome.best_rps):.2f}" if mesh else ""
    larger = f"{ratio(mesh.pss_mb, outcome.pss_mb):.2f}" if mesh else ""
    largest = ", ".join(f"{part} {memory.largest_pss_mb:,.0f}" for part, memory in outcome.parts.items())
    return (
        f"{outcome.best_rps:,.0f}",
        faster,
        f"{outcome.pss_mb:,.0f}",
        larger,
        largest,
        f"{outcome.first_answer_s:.1f}",
    )


def _cells(figures: Figures) -> tuple[str, ...]:
    times = (f"{figures.p50_ms:,.1f}", f"{figures.p95_ms:,.1f}", f"{figures.p99_ms:,.1f}")
    return f"{figures.rps:,.0f}", *times, f"{figures.cpu_us:,.0f}", f"{figures.full:.1%}"
