"""The tables of `mesh top`: rows of cells from the view model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mesh.cli.status.mesh_status import STAGES
from mesh.cli.status.tables import engines_text, files_text
from mesh.cli.top import levels
from mesh.cli.top.formats import duration, number, rates, share
from mesh.cli.top.grid import Cell, Column, Level
from mesh.cli.top.supervisors import SupervisorView
from mesh.cli.top.view import MeshView, ModelView, VersionView

SOURCES = ("ENSEMBLE", "PARTIAL", "FALLBACK")
_NAMES = (Column("game", 9), Column("version"))


@dataclass(frozen=True, slots=True)
class Section:
    """A table and its title."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def sections(view: MeshView, sort: str) -> Iterator[Section]:
    """Yields the tables that have rows, the most important first; the models in the order `sort`."""
    made = (_versions(view), _stages(view), _supervisors(view), _models(view, sort), _callers(view))
    for section in (*made, _shadows(view), _drifts(view), _certificates(view)):
        if section.rows:
            yield section


def _right(name: str, rank: int = 0) -> Column:
    return Column(name, rank, is_number=True)


def _versions(view: MeshView) -> Section:
    rates = [_right(f"{source.lower()}/s", rank) for source, rank in zip(SOURCES, (4, 3, 2), strict=True)]
    columns = (*_NAMES, _right("answers/s"), *rates, _right("p50 ms", 1), _right("p99 ms"), _right("waiting", 5))
    more = (_right("cohort", 6), _right("players", 5), Column("reasons", 8))
    return Section("versions", (*columns, *more), [_version(one) for one in view.versions])


def _version(one: VersionView) -> list[Cell]:
    found = one.ensemble
    whole, partial, fallback = (found.answers_per_s.get(source, 0.0) for source in SOURCES)
    answers = sum(found.answers_per_s.values())
    level = Level.PROBLEM if found.guard_tripped or found.waits_for_replicas else Level.FINE
    return [
        Cell(found.game),
        Cell(found.version, level),
        Cell(number(answers)),
        Cell(number(whole)),
        Cell(number(partial), levels.partial(partial, answers)),
        Cell(number(fallback), levels.fallbacks(fallback, one.reasons, answers)),
        Cell(number(found.p50_ms)),
        Cell(number(found.p99_ms)),
        Cell(str(found.waiting)),
        Cell(number(found.mean_cohort)),
        Cell(share(found.share), level),
        Cell(rates(one.reasons)),
    ]


def _stages(view: MeshView) -> Section:
    columns = (_right(f"{stage.replace('_', '-')} {of}") for stage in STAGES for of in ("p50", "p99"))
    rows = []
    for one in view.versions:
        spreads = [one.stages.get(stage) for stage in STAGES]
        times = [value for found in spreads for value in ((found.p50_ms, found.p99_ms) if found else (None, None))]
        rows.append([Cell(one.ensemble.game), Cell(one.ensemble.version), *(Cell(number(time)) for time in times)])
    ranks = (4, 3, 6, 5, 1, 0, 8, 7)
    ranked = [Column(column.name, rank, is_number=True) for column, rank in zip(columns, ranks, strict=True)]
    return Section("time by stage, ms", (*_NAMES, *ranked), rows)


def _models(view: MeshView, sort: str) -> Section:
    read = [one.address for one in view.supervisors if one.is_read]
    lanes = [_right(f"lanes {address}", 1) for address in read] if len(read) > 1 else []
    columns = (Column("game", 9), Column("version", 8), Column("model"), _right("up"), *lanes, _right("out", 3))
    rows_of = (_right("waiting", 2), _right("scoring", 5), _right("hedges/s", 4), _right("won/s", 7))
    more = (_right("misses/s", 0), _right("missed", 6), Column("engine", 10), Column("file", 11))
    ordered = sorted(view.models, key=lambda one: _order(one, sort))
    return Section(f"models, by {sort}", (*columns, *rows_of, *more), [_model(one) for one in ordered])


def _order(one: ModelView, sort: str) -> tuple[float, str, str, str]:
    found = one.model
    first = {
        "problems": (-levels.model_level(one) * 1e9) - found.misses_per_s,
        "misses": -found.misses_per_s,
        "waiting": -(found.rows_waiting * 1e6 + found.rows_outstanding),
        "hedges": -found.second_try_rows_per_s,
        "replicas": float(one.replicas),
    }
    return first.get(sort, 0.0), found.game, found.version, found.model


def _model(one: ModelView) -> list[Cell]:
    found = one.model
    lanes = [Cell(f"{up}/{every}", Level.WARNING if up < every else Level.FINE) for up, every in one.lanes]
    every = max(every for _, every in one.lanes)
    return [
        Cell(found.game),
        Cell(found.version),
        Cell(found.model),
        Cell(f"{one.replicas}/{every}", levels.lanes(found)),
        *(lanes if len(lanes) > 1 else ()),
        Cell(str(found.lanes_out), Level.WARNING if found.lanes_out else Level.FINE),
        Cell(str(found.rows_waiting), Level.WARNING if found.rows_waiting else Level.FINE),
        Cell(str(found.rows_outstanding)),
        Cell(number(found.second_try_rows_per_s), levels.hedges(one.hedges_share)),
        Cell(number(found.second_try_wins_per_s)),
        Cell(number(found.misses_per_s), levels.misses(one.misses_share)),
        Cell(share(one.misses_share), levels.misses(one.misses_share)),
        Cell(engines_text(found), levels.files(found)),
        Cell(files_text(found), levels.files(found)),
    ]


def _supervisors(view: MeshView) -> Section:
    columns = (
        Column("address"),
        _right("answers/s"),
        _right("p99 ms", 3),
        _right("CPU wait"),
        _right("loop lag p99 ms", 2),
    )
    more = (_right("cohorts", 5), _right("waiting", 4), Column("state", 1))
    return Section("supervisors", (*columns, *more), [_supervisor(one) for one in view.supervisors])


def _supervisor(one: SupervisorView) -> list[Cell]:
    if not one.is_read:
        level = Level.PROBLEM if one.fault else Level.FINE
        return [Cell(one.address, level), *(Cell("-") for _ in range(6)), Cell(one.fault or "starting", level)]
    return [
        Cell(one.address),
        Cell(number(one.answers_per_s)),
        Cell(number(one.p99_ms)),
        Cell(share(one.starved_share), levels.starved(one.starved_share)),
        Cell(number(one.lag_p99_ms), levels.lag(one.lag_p99_ms)),
        Cell(str(one.cohorts_under_way)),
        Cell(str(one.requests_waiting)),
        Cell("ok"),
    ]


def _callers(view: MeshView) -> Section:
    columns = (Column("game", 9), Column("caller"), _right("requests/s"), _right("waiting"), Column("refused/s"))
    ordered = sorted(view.callers, key=lambda one: (-one.total_per_s, one.game, one.caller))
    rows = []
    for one in ordered:
        level = Level.WARNING if one.refused else Level.FINE
        cells = (Cell(one.game or "-"), Cell(one.caller), Cell(number(one.total_per_s)), Cell(str(one.waiting)))
        rows.append([*cells, Cell(rates(one.refused) or "-", level)])
    return Section("callers", columns, rows)


def _shadows(view: MeshView) -> Section:
    columns = (*_NAMES, Column("shadow"), _right("compared/s"), _right("not compared/s", 2), _right("same best", 1))
    rows = [
        [
            *map(Cell, (one.game, one.version, one.shadow)),
            *map(Cell, (number(one.compared_per_s), number(one.others_per_s), share(one.same_best))),
        ]
        for one in view.shadows
    ]
    return Section("shadows", columns, rows)


def _drifts(view: MeshView) -> Section:
    columns = (*_NAMES, _right("drift, of its bound"), Column("worst", 1), _right("samples", 2))
    rows = []
    for one in view.drifts:
        level = levels.drift(one.severity, is_loaded=one.is_reference_loaded)
        worst = f"{one.kind} {one.name}" if one.is_reference_loaded else "the reference is not read yet"
        severity = Cell(number(one.severity), level)
        rows.append([Cell(one.game), Cell(one.version), severity, Cell(worst), Cell(str(one.samples))])
    return Section("drift", columns, rows)


def _certificates(view: MeshView) -> Section:
    rows = [
        [Cell(one.address), Cell(found.kind), Cell(duration(found.expires_s), levels.certificate(found))]
        for one in view.supervisors
        for found in one.certificates
    ]
    return Section("certificates", (Column("address"), Column("kind"), _right("expires in")), rows)
