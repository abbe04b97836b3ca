"""The catalog of a running mesh changes under load: nothing restarts, nothing fails, and every answer is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.cli.metrics_page import fetch
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S, is_whole, load_on
from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

DEADLINE_S = 5.0
VERSIONS = ("median", "weighted-mean")


@pytest.fixture
def catalog(world: World) -> Path:
    """A catalog with two versions; `median` has all players."""
    path = world.catalog.with_name("live.yaml")
    _write(path, _content(world, 100))
    return path


@pytest.fixture
def mesh(catalog: Path) -> Iterator[StartedMesh]:
    with meshes.running(catalog) as mesh:
        yield mesh


def _content(world: World, share: float) -> dict[str, Any]:
    """The catalog with `share` percent of the players for `median`."""
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    shares = dict(zip(VERSIONS, (share, 100 - share), strict=True))
    tree["versions"] = {name: {**tree["versions"][name], "traffic": shares[name]} for name in VERSIONS}
    return tree


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file by a rename, as editors and `mesh` do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(content))
    fresh.replace(path)


def _children(mesh: StartedMesh) -> set[int]:
    parent = mesh.process.pid
    return set(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


async def _until_metric(mesh: StartedMesh, name: str, value: float) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await asyncio.to_thread(fetch, mesh.ready["metrics"])).total(name) != value:  # noqa: ASYNC110 (a process)
            await asyncio.sleep(0.05)


async def test_catalog_changes_under_load(world: World, catalog: Path, mesh: StartedMesh) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
        await load.until(is_whole)
        _write(catalog, _content(world, 0))
        await load.until(lambda answer: answer.version == "weighted-mean")
        # Traffic that does not add up: refused, and the catalog before it stays in force.
        wrong = _content(world, 0)
        wrong["versions"]["median"]["traffic"] = 50
        _write(catalog, wrong)
        await _until_metric(mesh, "mesh_catalog_refused", 1)
        _write(catalog, _content(world, 100))
        await load.until(lambda answer: answer.version == "median")
        await _until_metric(mesh, "mesh_catalog_refused", 0)
    assert load.failures == []
    assert all(is_whole(answer) for _, answer in load.answers)
    assert len(load.answers) > 100
    assert {answer.version for _, answer in load.answers} == set(VERSIONS)


async def test_new_workers_are_not_needed_and_none_restarts(world: World, catalog: Path, mesh: StartedMesh) -> None:
    pids = {worker["pid"] for worker in mesh.ready["workers"]}
    async with load_on(mesh.address, DEADLINE_S) as load:
        _write(catalog, _content(world, 0))
        await load.until(lambda answer: answer.version == "weighted-mean")
    children = _children(mesh)
    assert {*pids, mesh.ready["supervisor"]["pid"]} <= children
