"""The decision log of `mesh up`: its writer is stopped, killed and moved, and no answer waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadtest.measurement import meters
from mesh.cli.metrics_page import Page, fetch
from mesh.decisions.log import open_log
from mesh.wire import offers_pb2 as wire
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S
from tests.end_to_end.meshes import Player, World
from tests.end_to_end.test_scores import ask_all, offer_request
from tests.started_mesh import StartedMesh
from tests.supervisor.decisions.test_logged_answers import Row, assert_equals

pytestmark = pytest.mark.whole_machine
VERSION = "weighted-mean"


@pytest.fixture
def catalog(world: World, tmp_path: Path) -> Path:
    path = world.catalog.with_name("decisions.yaml")
    write(path, content(world, {"to": str(tmp_path / "log"), "flush_s": 1}))
    return path


@pytest.fixture
def mesh(catalog: Path) -> Iterator[StartedMesh]:
    with meshes.running(catalog) as mesh:
        yield mesh


def content(world: World, block: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    tree["versions"] = {VERSION: {**tree["versions"][VERSION], "traffic": 100}}
    tree["decisions"] = block
    return tree


def write(path: Path, tree: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(tree))
    fresh.replace(path)


def writers(mesh: StartedMesh) -> tuple[int, ...]:
    return meters.children(mesh.ready["supervisor"]["pid"])


async def ask(mesh: StartedMesh, players: Sequence[Player]) -> list[Any]:
    answers = await ask_all(mesh, "GetOffer", [offer_request(player, "") for player in players])
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    return answers


async def page_with(mesh: StartedMesh, metric: str, least: float, **labels: str) -> Page:
    """Returns the metrics once `metric` is at least `least`."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
            if page.total(metric, **labels) >= least:
                return page
            await asyncio.sleep(0.05)


def logged(folder: Path) -> dict[str, Row]:
    with open_log(str(folder)) as log:
        rows = log.read(log.decisions("testgame")).to_pylist()
    assert len({row["decision_id"] for row in rows}) == len(rows)
    return {row["decision_id"]: row for row in rows}


async def test_each_answer_is_logged_once_when_the_mesh_has_stopped(
    world: World, catalog: Path, tmp_path: Path
) -> None:
    with meshes.running(catalog) as mesh:
        answers = await ask(mesh, world.players[:300])
    rows = logged(tmp_path / "log")
    assert len(rows) == 300
    for answer in answers:
        assert_equals(rows[answer.decision_id], answer)


async def test_stopped_writer_delays_no_answer_and_the_drops_are_counted(
    world: World, catalog: Path, mesh: StartedMesh, tmp_path: Path
) -> None:
    await ask(mesh, world.players[:10])
    write(catalog, content(world, {"to": str(tmp_path / "other"), "flush_s": 1, "max_mb": 4}))
    await page_with(mesh, "mesh_decisions_total", 10)
    async with asyncio.timeout(PATIENCE_S):
        while len(writers(mesh)) < 2:  # of the log before and of the other one
            await ask(mesh, world.players[:1])
    (writer,) = writers(mesh)[-1:]
    os.kill(writer, signal.SIGSTOP)
    try:
        total = 0.0
        while not total:
            await ask(mesh, world.players)
            page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
            total = page.total("mesh_decisions_dropped_total")
            assert page.total("mesh_decisions_buffered_bytes") < 8 * 2**20
    finally:
        os.kill(writer, signal.SIGCONT)


async def test_killed_writer_is_started_again_and_its_loss_is_counted(
    world: World, mesh: StartedMesh, tmp_path: Path
) -> None:
    (first,) = writers(mesh)
    await ask(mesh, world.players[:20])
    await page_with(mesh, "mesh_decisions_total", 20)
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while not (second := writers(mesh)) or second == (first,):
            await ask(mesh, world.players[:5])
            await asyncio.sleep(0.05)
    answers = await ask(mesh, world.players[:30])
    page = await page_with(mesh, "mesh_decisions_total", 50)
    rows = logged(tmp_path / "log")
    assert {answer.decision_id for answer in answers} <= rows.keys()
    assert len(rows) == page.total("mesh_decisions_total")


async def test_log_moves_without_a_restart(world: World, catalog: Path, mesh: StartedMesh, tmp_path: Path) -> None:
    before = await ask(mesh, world.players[:20])
    write(catalog, content(world, {"to": str(tmp_path / "other"), "flush_s": 1, "votes": "none"}))
    async with asyncio.timeout(PATIENCE_S):
        while not (tmp_path / "other" / "decisions").exists():
            await ask(mesh, world.players[:5])
            await asyncio.sleep(0.05)
    assert {answer.decision_id for answer in before} <= logged(tmp_path / "log").keys()
    assert {row["votes"] for row in logged(tmp_path / "other").values()} == {None}
