"""Formats the status of a mesh as tables."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mesh.cli.console import table
from mesh.cli.status.mesh_status import STAGES, EnsembleStatus, MeshStatus, ModelStatus

_SOURCES = ("ENSEMBLE", "PARTIAL", "FALLBACK")


def tables(status: MeshStatus) -> Group:
    """Returns one table of answers, one of stage times and one of models, and a line about the supervisor."""
    return Group(
        _answers(status.ensembles),
        "",
        _stages(status.ensembles),
        "",
        _models(status.models),
        "",
        Text(f"cohorts under way {status.cohorts_under_way}; CPU wait of the busiest thread: {_cpu_wait(status)}"),
    )


def _cpu_wait(status: MeshStatus) -> str:
    """The share is meaningless without load: an idle thread wants so little CPU that every wait counts much."""
    if not any(rate for one in status.ensembles for rate in one.answers_per_s.values()):
        return "-"
    return f"{status.starved_share:.0%} of the time that it wanted a CPU"


def _answers(ensembles: list[EnsembleStatus]) -> Table:
    rates = [f"{source.lower()}/s" for source in _SOURCES]
    rows = table(("game", "version"), (*rates, "p50 ms", "p95 ms", "p99 ms"))
    for one in ensembles:
        numbers = [one.answers_per_s.get(source, 0.0) for source in _SOURCES]
        rows.add_row(one.game, one.version, *map(_number, (*numbers, one.p50_ms, one.p95_ms, one.p99_ms)))
    return rows


def _stages(ensembles: list[EnsembleStatus]) -> Table:
    stages = [f"{stage.replace('_', '-')} ms" for stage in STAGES]
    rows = table(("game", "version"), ("waiting", "cohort", *stages))
    for one in ensembles:
        numbers = (one.mean_cohort, *(one.stages_ms[stage] for stage in STAGES))
        rows.add_row(one.game, one.version, str(one.waiting), *map(_number, numbers))
    return rows


def _models(models: list[ModelStatus]) -> Table:
    rows = table(("game", "version", "model"), ("lanes up", "rows waiting", "outstanding", "again/s", "misses/s"))
    for one in models:
        whole = 0 < one.lanes == one.lanes_up and not one.lanes_out
        lanes = f"{one.lanes_up}/{one.lanes}" + (f", {one.lanes_out} out" if one.lanes_out else "")
        rates = map(_number, (one.second_try_rows_per_s, one.misses_per_s))
        row = (one.game, one.version, one.model, lanes, str(one.rows_waiting), str(one.rows_outstanding), *rates)
        rows.add_row(*row, style=None if whole else "red")
    return rows


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}"
