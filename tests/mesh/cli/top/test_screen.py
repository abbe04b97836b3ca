"""The layout of `mesh top` for terminals of any size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mesh.cli.top.controls import Controls
from mesh.cli.top.grid import CUT
from mesh.cli.top.scrapes import Scrape
from mesh.cli.top.screen import Screen, screen, whole
from mesh.cli.top.view import MeshView, view
from tests.mesh.cli.top.mesh_pages import NOW_S, busy

CLOCK = "12:00:00"
GUARD = 'mesh_guard_tripped{game="g",version="2"} 1'


@pytest.fixture
def mesh() -> MeshView:
    return view([busy()], NOW_S)


def lines(found: Screen) -> list[str]:
    return [line.plain for line in found.lines]


def shown(mesh: MeshView, controls: Controls = Controls(), width: int = 200, height: int = 60) -> list[str]:  # noqa: B008
    return lines(screen(mesh, controls, width, height, CLOCK))


def row(found: list[str], *names: str) -> str:
    return next(line for line in found if all(name in line.split() for name in names))


def test_all_sections_are_on_a_large_screen(mesh: MeshView) -> None:
    found = shown(mesh)
    titles = ("versions", "time by stage, ms", "supervisors", "models, by problems", "callers", "drift", "certificates")
    assert [line for line in found if line in titles] == list(titles)
    assert row(found, "shop").split() == ["*", "g", "shop", "95.0", "3", "over-quota", "5.0"]
    assert row(found, "own").split() == ["*", "a:9100", "own", "3", "d"]


def test_lines_with_problems_have_a_mark_without_colours(mesh: MeshView) -> None:
    found = shown(mesh)
    assert row(found, "whales").startswith("!")
    assert row(found, "2", "asia").startswith("  ")
    assert row(found, "score", "asia").startswith("!")


def test_small_screen_says_which_lines_and_columns_it_shows(mesh: MeshView) -> None:
    first = screen(mesh, Controls(), 40, 10, CLOCK)
    assert lines(first)[-1].startswith(f"lines 1-8 of {first.last_offset + 8}  no room for: ")
    end = shown(mesh, Controls(offset=10_000), 40, 10)
    assert end[-1].startswith(f"lines {first.last_offset + 1}-{first.last_offset + 8} of {first.last_offset + 8}")
    assert "own" in end[-2]


def test_names_keep_their_column_when_others_have_no_room(mesh: MeshView) -> None:
    found = shown(mesh, width=40, height=60)
    assert row(found, "whales").split()[:3] == ["!", "whales", "1/2"]


@settings(deadline=None)
@given(width=st.integers(1, 220), height=st.integers(1, 70), offset=st.integers(0, 100), is_help=st.booleans())
def test_no_line_is_wider_than_the_terminal(width: int, height: int, offset: int, is_help: bool) -> None:
    mesh = view([busy(), Scrape("b:9100", fault="cannot read metrics: 連接 timed out")], NOW_S)
    found = screen(mesh, Controls(offset=offset, is_help=is_help), width, height, CLOCK)
    assert len(found.lines) == max(height, 1) or height < 3
    assert all(cell_len(line.plain) <= width for line in found.lines)


def test_key_s_changes_the_order_of_the_models(mesh: MeshView) -> None:
    def order(sort: str) -> list[str]:
        found = shown(mesh, Controls(sort=sort))
        start = found.index(f"models, by {sort}") + 2
        return [" ".join(line.split()).removeprefix("! ")[:8] for line in found[start : start + 3]]

    assert order("problems") == ["g 1 whal", "g 1 asia", "g 2 asia"]
    assert order("name") == ["g 1 asia", "g 1 whal", "g 2 asia"]
    assert order("misses") == order("hedges") == order("replicas") == order("problems")


def test_selected_version_has_its_models_only(mesh: MeshView) -> None:
    found = shown(mesh, Controls(version=("g", "2")))
    assert "g/2" in found[0]
    assert not any("whales" in line for line in found)
    assert shown(mesh, Controls(version=("g", "gone")))[1:] == shown(mesh)[1:]


def test_notes_name_guards_silent_supervisors_and_catalogs_first() -> None:
    mesh = view([busy(more=GUARD), busy("b:9100", digest="x"), Scrape("c:9100", fault="no answer for 5 s")], NOW_S)
    found = shown(mesh)
    assert found[1:4] == [
        "! supervisor c:9100: no answer for 5 s",
        "! g: version 2: its guard has tripped, and another version has its players",
        "* g: the supervisors use 2 different catalogs",
    ]
    assert "2 of 3 supervisors" in found[0]
    assert row(found, "lanes", "a:9100", "model").split().count("lanes") == 2


def test_text_of_a_page_cannot_control_the_terminal(mesh: MeshView) -> None:
    evil = replace(mesh.callers[0], caller="evil\x1b]0;owned\x07")
    found = shown(replace(mesh, callers=[evil]))
    assert any(r"evil\u001b]0;owned\u0007" in line for line in found)
    assert not any("\x1b" in line for line in found)


def test_pause_and_help_are_visible(mesh: MeshView) -> None:
    assert "PAUSED" in shown(mesh, Controls(is_paused=True))[0]
    assert any(line.startswith("q          quit") for line in shown(mesh, Controls(is_help=True)))


def test_lines_for_a_pipe_have_no_footer_and_are_whole(mesh: MeshView) -> None:
    found = [line.plain for line in whole(mesh, Controls(), 200, CLOCK)]
    assert found[0] == "mesh top  12:00:00  100 answers/s  all versions"
    assert not any(CUT in line or "q quit" in line for line in found)
