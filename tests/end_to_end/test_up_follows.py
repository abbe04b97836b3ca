"""`mesh up` follows its catalog under load: workers come, go and are replaced, and every answer is whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.cli.metrics_page import Page, fetch
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S, is_whole, load_on
from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

DEADLINE_S = 5.0
OLD, NEW = {"name": "first", "uri": "binary.txt"}, {"name": "first", "uri": "rf.txt"}


@dataclass(frozen=True)
class Followed:
    """A mesh whose catalog a test replaces."""

    mesh: StartedMesh
    catalog: Path
    tree: dict[str, Any]

    @property
    def address(self) -> str:
        return self.mesh.address

    def write(self, **versions: Any) -> None:
        """Replaces the catalog by one with `versions`: (traffic, models) of each."""
        content = {
            name: {"traffic": traffic, "combine": {"quorum": len(models)}, "models": models}
            for name, (traffic, models) in versions.items()
        }
        fresh = self.catalog.with_suffix(".new")
        fresh.write_text(yaml.safe_dump({**self.tree, "versions": content}))
        fresh.replace(self.catalog)

    def names(self) -> set[tuple[str, str, str]]:
        """The version, model and file of each worker that serves."""
        (game,) = json.loads((Path(self.mesh.ready["logs"]) / "endpoints.json").read_text()).values()
        return {
            (version, model, Path(one["serves"].partition(" ")[0]).name)
            for version, models in game.items()
            for model, serving in models.items()
            for one in serving
        }

    async def until_served(self, *names: tuple[str, str, str]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.names() != set(names):  # noqa: ASYNC110 (a file)
                await asyncio.sleep(0.05)

    async def page(self) -> Page:
        return await asyncio.to_thread(fetch, self.mesh.ready["metrics"])

    async def until_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self.page()).total(name) != value:  # noqa: ASYNC110 (a process)
                await asyncio.sleep(0.05)


@pytest.fixture
def followed(world: World, tmp_path: Path) -> Iterator[Followed]:
    """A mesh with the version `v1`, whose only model `first` is the binary forest."""
    for name in ("binary.txt", "rf.txt", "dart.txt", "offers.csv", "players.sqlite"):
        shutil.copy(world.catalog.parent / name, tmp_path)
    tree = yaml.safe_load(world.catalog.read_text())
    catalog = tmp_path / "mesh.yaml"
    first = {"v1": {"traffic": 100, "combine": {"quorum": 1}, "models": [OLD]}}
    catalog.write_text(yaml.safe_dump({**tree, "versions": first}))
    with meshes.running(catalog) as mesh:
        yield Followed(mesh, catalog, tree)


async def test_version_that_comes_is_started_and_one_that_goes_is_drained(followed: Followed) -> None:
    async with load_on(followed.address, DEADLINE_S) as load:
        await load.until(is_whole)
        followed.write(v1=(0, [OLD]), v2=(100, [NEW, {"name": "second", "uri": "dart.txt"}]))
        await load.until(lambda answer: answer.version == "v2")
        followed.write(v2=(100, [NEW, {"name": "second", "uri": "dart.txt"}]))
        await followed.until_served(("v2", "first", "rf.txt"), ("v2", "second", "dart.txt"))
        followed.mesh.stderr.line("testgame/v1/first: the previous worker drains")
    assert load.failures == []
    assert all(is_whole(answer) for _, answer in load.answers)


async def test_replaced_model_is_asked_only_when_its_worker_is_ready(followed: Followed) -> None:
    async with load_on(followed.address, DEADLINE_S) as load:
        await load.until(is_whole)
        followed.write(v1=(100, [NEW]))
        await followed.until_served(("v1", "first", "rf.txt"))
        await load.until(is_whole)
    assert load.failures == []
    assert all(is_whole(answer) for _, answer in load.answers)


async def test_refused_file_leaves_the_old_worker_until_the_file_is_good(followed: Followed) -> None:
    bad = followed.catalog.with_name("bad.txt")
    bad.write_text("no model\n")
    async with load_on(followed.address, DEADLINE_S) as load:
        await load.until(is_whole)
        followed.write(v1=(100, [{"name": "first", "uri": "bad.txt"}]))
        line = followed.mesh.stderr.line("testgame/v1/first: .*refused")
        assert line.endswith("; starts again when its file or the catalog changes\n")
        await load.until(is_whole)
        assert followed.names() == {("v1", "first", "binary.txt")}
        shutil.copy(followed.catalog.with_name("rf.txt"), bad)
        await followed.until_served(("v1", "first", "bad.txt"))
        await load.until(is_whole)
    assert load.failures == []
    assert all(is_whole(answer) for _, answer in load.answers)


async def test_catalog_with_faults_starts_and_ends_no_worker(followed: Followed) -> None:
    followed.write(v1=(100, [OLD]), v2=(100, [NEW]))
    await followed.until_metric("mesh_catalog_refused", 1)
    followed.write(v1=(100, [OLD]), v3=(0, [NEW]))
    await followed.until_served(("v1", "first", "binary.txt"), ("v3", "first", "rf.txt"))


async def test_rollback_is_in_force_within_two_seconds_while_the_workers_of_the_new_version_die(
    followed: Followed,
) -> None:
    followed.write(v1=(0, [OLD]), v2=(100, [NEW]))
    async with load_on(followed.address, DEADLINE_S) as load:
        await load.until(lambda answer: answer.version == "v2")
        folder = Path(followed.mesh.ready["logs"])
        killing = asyncio.create_task(_kill_again_and_again("v2/first", folder, followed.mesh.process.pid))
        await load.until(lambda answer: not is_whole(answer))
        written_s = time.monotonic()
        followed.write(v1=(100, [OLD]), v2=(0, [NEW]))
        in_force_s = await load.until(lambda answer: answer.version == "v1")
        killing.cancel()
    assert in_force_s - written_s < 2.0
    after = [answer for at_s, answer in load.answers if at_s > in_force_s + DEADLINE_S]
    assert all(answer.version == "v1" and is_whole(answer) for answer in after)
    assert load.failures == []


async def _kill_again_and_again(name: str, folder: Path, parent: int) -> None:
    """Kills the workers whose log is that of `name`, whenever they run."""
    log = str(folder / f"testgame.{name.replace('/', '.')}.log")
    while True:
        _kill_child(parent, log)
        await asyncio.sleep(0.02)


def _kill_child(parent: int, log: str) -> None:
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/{pid}/fd/2").readlink()) == log:
                os.kill(int(pid), signal.SIGKILL)
