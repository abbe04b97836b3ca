"""`mesh up` follows the catalog from the moment at which it was read, also while the mesh starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import POLL_S, load_catalog
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.following import Following
from mesh.cli.up.plan import Replica
from tests.supervisor.backend import write_game
from tests.supervisor.replica import until


class RecordingFleet:
    """Records the models that `follow` wants."""

    def __init__(self) -> None:
        self.wanted: list[list[str]] = []
        self.workers = SimpleNamespace(superseded=[])
        self.supervisor = SimpleNamespace(ready=None)

    def write_inputs(self, catalogs: Sequence[Catalog]) -> None:
        assert catalogs

    def follow(self, replicas: Sequence[Replica]) -> None:
        self.wanted.append([replica.model.name for replica in replicas])


@asynccontextmanager
async def following(path: Path, during_the_start: str) -> AsyncIterator[RecordingFleet]:
    """Follows the catalog at `path`, which is replaced while the mesh starts."""
    fleet = RecordingFleet()
    follows = Following(cast(Fleet, fleet), {path: load_catalog(path)}, 1)
    path.write_text(during_the_start)  # noqa: ASYNC240
    running = asyncio.create_task(follows.run())
    try:
        yield fleet
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def test_catalog_that_changes_while_the_mesh_starts_is_followed(tmp_path: Path) -> None:
    path = write_game(tmp_path)
    async with following(path, path.read_text().replace(", {name: m2, uri: m2.txt}", "")) as fleet:
        await until(lambda: fleet.wanted == [["m0", "m1"]])


async def test_catalog_that_does_not_change_starts_nothing(tmp_path: Path) -> None:
    path = write_game(tmp_path)
    async with following(path, path.read_text()) as fleet:
        await asyncio.sleep(4 * POLL_S)
        assert fleet.wanted == []
        path.write_text(path.read_text() + "# a model file was replaced\n")
        await until(lambda: len(fleet.wanted) == 1)
