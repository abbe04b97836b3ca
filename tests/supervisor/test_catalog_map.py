"""The catalog in a ConfigMap: followed through a fake API server, with the mounted file as the fall-back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import POLL_S, load_catalog
from mesh.errors import Misconfigured
from supervisor import start_catalogs
from supervisor.discovery import object_watch
from supervisor.discovery.config_map import ConfigMapText
from supervisor.followed_catalogs import FollowedCatalog, open_catalogs
from supervisor.settings import read_settings
from tests.supervisor.backend import OFFERS_CSV, write_game
from tests.supervisor.fake_api_server import FakeApiServer, config_map, fake_api_server
from tests.supervisor.replica import until

NAME = "g-catalog"
OTHER = "someone-elses"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_watch, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with fake_api_server(tmp_path / "serviceaccount") as server:
        yield server


class Followed:
    """A followed catalog and the changes that it reported: budgets of catalogs, or faults."""

    def __init__(self, server: FakeApiServer, path: Path, start: FollowedCatalog) -> None:
        self.start = start
        self.path = path
        self.reported: list[float | list[str]] = []
        self._server = server

    async def point(self, text: str, name: str = NAME) -> None:
        """Changes the ConfigMap, but not yet its mounted copy."""
        await self._server.put(config_map(name, **{"mesh.yaml": text}))

    async def reports(self, *budgets: float) -> None:
        await until(lambda: self.reported == list(budgets))


def text(path: Path, budget_ms: float = 10000) -> str:
    return path.read_text().replace("budget_ms: 10000", f"budget_ms: {budget_ms:g}")


@asynccontextmanager
async def following(
    server: FakeApiServer, folder: Path, monkeypatch: pytest.MonkeyPatch, watched: bool = True
) -> AsyncIterator[Followed]:
    """Starts with the catalog of `folder`; the first watch of its ConfigMap is open."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    path = folder / "mesh.yaml"
    options = ["--config-map", NAME, "--endpoint-slices", str(server.folder), "--files", str(folder)]
    (start,) = await open_catalogs(read_settings(["--catalog", str(path), *options]))
    followed = Followed(server, path, start)
    changes: Any = start.changes.watch()

    async def read() -> None:
        async with aclosing(changes):
            async for change in changes:
                followed.reported.append(change.budget_ms if isinstance(change, Catalog) else change.faults)

    assert start.keep is not None
    tasks = [asyncio.create_task(read()), asyncio.create_task(start.keep())]
    try:
        await until(lambda: server.watches == 1 or not watched)
        yield followed
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def followed(server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    write_game(tmp_path)
    await server.put(config_map(NAME, **{"mesh.yaml": text(tmp_path / "mesh.yaml")}))
    async with following(server, tmp_path, monkeypatch) as made:
        yield made


async def test_changed_config_map_is_reported_and_another_one_is_not(followed: Followed, server: FakeApiServer) -> None:
    await followed.point(text(followed.path, 3000), OTHER)
    await followed.point(text(followed.path, 4000))
    await followed.reports(4000)
    assert {query["fieldSelector"] for query in server.queries} == {f"metadata.name={NAME}"}
    assert server.lists == 1


async def test_faults_are_reported_with_the_name_of_the_config_map(followed: Followed) -> None:
    await followed.point(text(followed.path).replace("quorum: 2", "quorum: 9"))
    await until(lambda: len(followed.reported) == 1)
    (faults,) = followed.reported
    assert isinstance(faults, list)
    assert [fault.partition(":")[0] for fault in faults] == ["configmap/g-catalog"]


async def test_late_mounted_copy_of_the_config_map_is_not_a_change(followed: Followed) -> None:
    older, newer, newest = (text(followed.path, budget) for budget in (3000, 4000, 5000))
    await followed.point(newer)
    await followed.reports(4000)
    followed.path.write_text(older)
    await asyncio.sleep(3 * POLL_S)  # several looks
    await followed.point(newest)
    await followed.reports(4000, 5000)


async def test_mounted_copy_counts_while_the_api_server_cannot_be_reached(
    followed: Followed, server: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    newest = text(followed.path, 5000)
    await server.stop()
    await until(lambda: "keeping the catalog" in caplog.text)
    followed.path.write_text(text(followed.path, 4000))
    await followed.reports(4000)
    await followed.point(newest)
    await server.start()
    await followed.reports(4000, 5000)


async def test_change_during_an_outage_is_reported_after_it(followed: Followed, server: FakeApiServer) -> None:
    await server.stop()
    await followed.point(text(followed.path, 4000))
    await server.forget(by_event=False)
    await server.start()
    await followed.reports(4000)
    await until(lambda: server.watches == 1)
    assert server.lists == 2


async def test_deleted_config_map_changes_nothing(
    followed: Followed, server: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    await server.delete(NAME)
    await until(lambda: "does not exist" in caplog.text)
    await server.put({**config_map(NAME), "data": {"other.yaml": "game: g"}})
    await until(lambda: "has no text mesh.yaml" in caplog.text)
    await followed.point(text(followed.path, 4000))
    await followed.reports(4000)


async def test_changed_table_of_offers_is_a_change(followed: Followed) -> None:
    followed.path.with_name("offers.csv").write_text(OFFERS_CSV + "bronze,7\n")
    await followed.reports(10000)


async def test_start_uses_the_newest_earlier_catalog_without_faults(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_game(tmp_path)
    bad, worse = (text(path).replace("quorum: 2", f"quorum: {quorum}") for quorum in (9, "many"))
    good = {name: config_map(name, **{"mesh.yaml": text(path, budget)}) for name, budget in (("b", 4000), ("c", 3000))}
    await server.put(config_map("a", **{"mesh.yaml": bad}), *good.values(), config_map(NAME, **{"mesh.yaml": worse}))
    path.write_text(worse)
    (tmp_path / "history").write_text("a\nno-longer\nb\nc\n")
    async with following(server, tmp_path, monkeypatch) as followed:
        assert followed.start.catalog.budget_ms == 4000
        await until(lambda: len(followed.reported) == 1)  # so that mesh_catalog_refused is 1
        assert "combine.quorum" in str(followed.reported[0])
        assert "starting with configmap/b" in caplog.text
        await followed.point(good["c"]["data"]["mesh.yaml"])
        await until(lambda: followed.reported[1:] == [3000])


async def test_start_with_faults_and_nothing_earlier_reports_the_faults(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_game(tmp_path)
    path.write_text(text(path).replace("quorum: 2", "quorum: 9"))
    with pytest.raises(Misconfigured, match="9 votes required"):
        async with following(server, tmp_path, monkeypatch):
            pass


async def test_start_without_an_api_server_uses_the_mounted_copy(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_game(tmp_path)
    await server.stop()
    async with following(server, tmp_path, monkeypatch, watched=False) as followed:
        assert followed.start.catalog.budget_ms == 10000
        path.write_text(text(path, 4000))
        await followed.reports(4000)


async def test_start_by_dns_uses_the_earlier_catalogs_in_the_same_folder(tmp_path: Path) -> None:
    path = write_game(tmp_path)
    (tmp_path / "before-1.yaml").write_text(text(path, 4000))
    (tmp_path / "before-2.yaml").write_text(text(path, 3000))
    path.write_text(text(path).replace("quorum: 2", "quorum: 9"))
    (start,) = await open_catalogs(read_settings(["--catalog", str(path), "--dns", "games"]))
    assert start.catalog.budget_ms == 4000


async def test_file_that_changes_while_the_supervisor_reads_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_game(tmp_path)
    changed = text(path, 4000)

    def load(name: Path, folder: Path | None, read: str | None = None) -> Catalog:
        catalog = load_catalog(name, folder, read)
        path.write_text(changed)
        return catalog

    monkeypatch.setattr(start_catalogs, "load_catalog", load)
    (start,) = await open_catalogs(read_settings(["--catalog", str(path), "--endpoints", "endpoints.json"]))
    assert start.catalog.budget_ms == 10000
    async with asyncio.timeout(10):
        change = await anext(aiter(start.changes.watch()))
    assert isinstance(change, Catalog)
    assert change.budget_ms == 4000


async def test_missing_role_is_named(server: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    server.refuse = (403, "cannot list resource configmaps")
    caplog.set_level(logging.WARNING, "supervisor.discovery")
    keeping = asyncio.create_task(ConfigMapText(server.account, NAME, "mesh.yaml").keep())
    try:
        await until(lambda: "get, list and watch on the configmap g-catalog" in caplog.text)
    finally:
        keeping.cancel()
        await asyncio.wait((keeping,))
