"""Formats the status of a mesh as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mesh.cli.console import table
from mesh.cli.status import game_status
from mesh.cli.status.mesh_status import STAGES, EnsembleStatus, MeshStatus, ModelStatus
from mesh.cli.status.shadow_status import ShadowStatus

_NAMES = ("game", "version", "model")
_LEAST_FIRST = ("outstanding", "again/s", "rows waiting", "engine", "file", "misses/s")
_DIGEST = 12  # characters of the SHA-256
_GAP = 2  # spaces between two columns
_OTHER_LINES = 8  # the headers of the tables, empty lines, and the lines below the tables
_SOURCES = ("ENSEMBLE", "PARTIAL", "FALLBACK")


def tables(status: MeshStatus, width: int = 200, height: int | None = None) -> Group:
    """Returns one table of answers, one of stage times, one of models, one of shadows if there are any, and a line.

    Names are never cut: in a terminal of less than `width` columns, columns of less importance are left out. With
    `height`, the models that have no room are left out, those with problems last.
    """
    models, hidden = _shown(status, height)
    hint = [Text(f"{hidden} more models without problems: give --filter TEXT, or --once")] if hidden else []
    return Group(
        _answers(status.ensembles),
        "",
        _stages(status.ensembles),
        "",
        _models(models, width),
        *hint,
        *_notes(status),
        "",
        *((_shadows(status.shadows), "") if status.shadows else ()),
        Text(f"cohorts under way {status.cohorts_under_way}; CPU wait of the busiest thread: {_cpu_wait(status)}"),
    )


def engines_text(one: ModelStatus) -> str:
    """Returns the engine of a model's replicas, or each engine with its replicas."""
    if len(one.engines) < 2:
        return next(iter(one.engines), "-") or "-"
    return ", ".join(f"{engine or '-'} x {count}" for engine, count in sorted(one.engines.items()))


def files_text(one: ModelStatus) -> str:
    """Returns the file that new rows go to, and the other files of a model that is being replaced."""
    used = (one.sha256 or "-")[:_DIGEST]
    others = [f"unused {sha256[:_DIGEST]} x {count}" for sha256, count in one.files.items() if sha256 != one.sha256]
    return ", ".join([f"{used} x {one.files.get(one.sha256 or '', 0)}", *others]) if others else used


def _notes(status: MeshStatus) -> list[Text]:
    """A line for each version whose players are served by others, and the lines about the games."""
    waiting = [one for one in status.ensembles if one.waits_for_replicas]
    lines = [
        (f"{one.game}: version {one.version} waits for replicas; other versions serve its players", True)
        for one in waiting
    ]
    for game in status.games:
        lines += game_status.notes(game, has_waiting_version=game.game in {one.game for one in waiting})
    return [Text(line, style="red" if is_problem else "") for line, is_problem in lines]


def _shown(status: MeshStatus, height: int | None) -> tuple[list[ModelStatus], int]:
    """The models that fit `height` lines, in their order, and the number of the others."""
    others = 2 * len(status.ensembles) + _shadow_lines(status) + len(_notes(status)) + _OTHER_LINES
    room = len(status.models) if height is None else max(1, height - others)
    if len(status.models) <= room:
        return status.models, 0
    by_trouble = sorted(status.models, key=lambda one: (_is_whole(one), -one.misses_per_s))
    kept = by_trouble[:room]
    return [one for one in status.models if one in kept], len(status.models) - room


def _shadow_lines(status: MeshStatus) -> int:
    return len(status.shadows) + 2 if status.shadows else 0


def _cpu_wait(status: MeshStatus) -> str:
    """The share is meaningless without load: an idle thread wants so little CPU that every wait counts much."""
    if not any(rate for one in status.ensembles for rate in one.answers_per_s.values()):
        return "-"
    return f"{status.starved_share:.0%} of the time that it wanted a CPU"


def _answers(ensembles: list[EnsembleStatus]) -> Table:
    rates = [f"{source.lower()}/s" for source in _SOURCES]
    rows = table(("game", "version", "players"), (*rates, "p50 ms", "p95 ms", "p99 ms"))
    for one in ensembles:
        numbers = [one.answers_per_s.get(source, 0.0) for source in _SOURCES]
        cells = map(_number, (*numbers, one.p50_ms, one.p95_ms, one.p99_ms))
        rows.add_row(one.game, one.version, _players(one), *cells, style="red" if one.guard_tripped else None)
    return rows


def _players(one: EnsembleStatus) -> str:
    share = "-" if one.share is None else f"{one.share * 100:.4g} %"
    return f"{share}, guard has tripped" if one.guard_tripped else share


def _stages(ensembles: list[EnsembleStatus]) -> Table:
    stages = [f"{stage.replace('_', '-')} ms" for stage in STAGES]
    rows = table(("game", "version"), ("waiting", "cohort", *stages))
    for one in ensembles:
        numbers = (one.mean_cohort, *(one.stages_ms[stage] for stage in STAGES))
        rows.add_row(one.game, one.version, str(one.waiting), *map(_number, numbers))
    return rows


def _shadows(shadows: list[ShadowStatus]) -> Table:
    rows = table(("game", "version", "shadow"), ("compared/s", "not compared/s", "same best"))
    for one in shadows:
        same = "-" if one.same_best is None else f"{one.same_best:.0%}"
        rows.add_row(one.game, one.version, one.shadow, _number(one.compared_per_s), _number(one.others_per_s), same)
    return rows


def _models(models: list[ModelStatus], width: int) -> Table:
    columns = _fitting(
        {
            "lanes up": [_lanes(one) for one in models],
            "rows waiting": [str(one.rows_waiting) for one in models],
            "outstanding": [str(one.rows_outstanding) for one in models],
            "again/s": [_number(one.second_try_rows_per_s) for one in models],
            "misses/s": [_number(one.misses_per_s) for one in models],
            "engine": [engines_text(one) for one in models],
            "file": [files_text(one) for one in models],
        },
        width - sum(_width(name, [getattr(one, name) for one in models]) for name in _NAMES),
    )
    rows = table(_NAMES, tuple(columns))
    for column in rows.columns[: len(_NAMES)]:
        column.no_wrap = True
    for number, one in enumerate(models):
        cells = (cells[number] for cells in columns.values())
        rows.add_row(one.game, one.version, one.model, *cells, style=None if _is_whole(one) else "red")
    return rows


def _fitting(columns: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """The columns without the least important ones, so that the others fit."""
    found = dict(columns)
    for name in _LEAST_FIRST:
        if sum(_width(*one) for one in found.items()) > width:
            del found[name]
    return found


def _width(name: str, cells: Sequence[str]) -> int:
    return max([len(name), *map(len, cells)]) + _GAP


def _is_whole(one: ModelStatus) -> bool:
    return 0 < one.lanes == one.lanes_up and not one.lanes_out


def _lanes(one: ModelStatus) -> str:
    return f"{one.lanes_up}/{one.lanes}" + (f", {one.lanes_out} out" if one.lanes_out else "")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}"
