"""Lays out the view for a terminal: a pure function of the view, the controls and the size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich.text import Text

from mesh.catalog.deployment.names import SHARED
from mesh.cli.status import game_status
from mesh.cli.top.controls import HELP, MARKS_HELP, Chosen, Controls
from mesh.cli.top.formats import number
from mesh.cli.top.grid import Level, cut, grid, marked
from mesh.cli.top.sections import sections
from mesh.cli.top.view import MeshView
from mesh.printable import one_line

_KEYS = "q quit  s sort  tab version  p pause  ? help"
_FRAME_LINES = 2  # the first and the last line of the screen


@dataclass(frozen=True, slots=True)
class Screen:
    """At most as many lines as the terminal has, and the offset of the last lines."""

    lines: list[Text]
    last_offset: int


def screen(view: MeshView, controls: Controls, width: int, height: int, clock: str) -> Screen:
    """Returns the screen of `height` lines of `width` columns; `clock` is the time in its first line."""
    body, hidden = _help(width) if controls.is_help else _body(view, controls, width)
    room = max(1, height - _FRAME_LINES)
    last_offset = max(0, len(body) - room)
    offset = min(controls.offset, last_offset)
    shown = body[offset : offset + room]
    empty = [Text("") for _ in range(room - len(shown))]
    lines = [_first(view, controls, width, clock), *shown, *empty, _last(offset, len(shown), len(body), hidden, width)]
    return Screen(lines[: max(1, height)], last_offset)


def whole(view: MeshView, controls: Controls, width: int, clock: str) -> list[Text]:
    """Returns all lines without a footer, for a pipe or a file."""
    body, _ = _body(view, controls, width)
    return [Text(_summary(view, controls, clock), "bold"), *body]


def versions(view: MeshView) -> list[tuple[str, str]]:
    """Returns the versions that a key can select."""
    return [(one.ensemble.game, one.ensemble.version) for one in view.versions]


def _first(view: MeshView, controls: Controls, width: int, clock: str) -> Text:
    return Text(cut(_summary(view, controls, clock), width).ljust(width), "reverse", no_wrap=True, end="")


def _summary(view: MeshView, controls: Controls, clock: str) -> str:
    read = sum(one.is_read for one in view.supervisors)
    answers = sum(one.answers_per_s for one in view.supervisors)
    shown = "all versions" if controls.version is None else "/".join(controls.version)
    counted = f"{read} of {len(view.supervisors)} supervisors" if len(view.supervisors) > 1 else ""
    parts = ("mesh top", clock, "PAUSED" if controls.is_paused else "", f"{number(answers)} answers/s", counted, shown)
    return one_line("  ".join(filter(None, parts)))


def _last(offset: int, shown: int, total: int, hidden: list[str], width: int) -> Text:
    parts = [f"lines {offset + 1}-{offset + shown} of {total}"] if shown < total else []
    parts += [_KEYS] if not hidden else [f"no room for: {', '.join(hidden)}", _KEYS]
    return Text(cut("  ".join(parts), width), "dim", no_wrap=True, end="")


def _body(view: MeshView, controls: Controls, width: int) -> tuple[list[Text], list[str]]:
    """All lines between the first and the last, and the columns that had no room."""
    chosen = _of_version(view, controls.version)
    lines = [marked(text, level, width) for text, level in _notes(chosen)]
    hidden: dict[str, None] = {}
    for section in sections(chosen, controls.sort):
        table = grid(section.columns, section.rows, width)
        hidden |= dict.fromkeys(table.hidden)
        lines += [*([Text("")] if lines else []), Text(cut(section.title, width), "bold underline"), *table.lines]
    return lines, list(hidden)


def _help(width: int) -> tuple[list[Text], list[str]]:
    return [Text(cut(line, width)) for line in (*HELP, "", *MARKS_HELP)], []


def _of_version(view: MeshView, version: Chosen) -> MeshView:
    """The part of the view that belongs to one version, with the members and the callers of its game."""
    if version is None or version not in versions(view):
        return view
    game, name = version
    return replace(
        view,
        versions=[one for one in view.versions if (one.ensemble.game, one.ensemble.version) == version],
        models=[one for one in view.models if one.model.game == game and one.model.version in (name, SHARED)],
        games=[one for one in view.games if one.game == game],
        callers=[one for one in view.callers if one.game in (game, "")],
        shadows=[one for one in view.shadows if (one.game, one.version) == version],
        drifts=[one for one in view.drifts if (one.game, one.version) == version],
    )


def _notes(view: MeshView) -> Iterator[tuple[str, Level]]:
    """The sentences about what is wrong, which come first."""
    for one in view.supervisors:
        if one.fault:
            yield f"supervisor {one.address}: {one.fault}", Level.PROBLEM
        if one.is_certificate_refused:
            yield (
                f"supervisor {one.address}: the new certificate has a fault, and the earlier one is in use",
                Level.PROBLEM,
            )
        if one.lanes_stale:
            yield f"supervisor {one.address}: {one.lanes_stale} lanes use an earlier certificate", Level.WARNING
    waiting = set()
    for found in (version.ensemble for version in view.versions):
        name = f"{found.game}: version {found.version}"
        if found.guard_tripped:
            yield f"{name}: its guard has tripped, and another version has its players", Level.PROBLEM
        if found.waits_for_replicas:
            waiting.add(found.game)
            yield f"{name} waits for replicas; other versions serve its players", Level.PROBLEM
    for game in view.games:
        for text, is_problem in game_status.notes(game, has_waiting_version=game.game in waiting):
            yield text, Level.PROBLEM if is_problem else Level.FINE
    for game_name, count in view.catalogs.items():
        if count > 1:
            yield f"{game_name}: the supervisors use {count} different catalogs", Level.WARNING
    if view.decisions_dropped_per_s:
        yield f"the decision log loses {number(view.decisions_dropped_per_s)} records per second", Level.PROBLEM
    if view.calls_refused_per_s:
        yield f"{number(view.calls_refused_per_s)} calls per second are refused for lack of CPU", Level.PROBLEM
