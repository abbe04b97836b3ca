"""The supervisor's discovery with a real API server and the rights of its own service account."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from supervisor.discovery.endpoint_slices import EndpointSlices
from supervisor.discovery.object_watch import LONGEST_PAUSE_S
from supervisor.discovery.port import Endpoints
from supervisor.discovery.service_account import ServiceAccount
from tests.cluster.conftest import command
from tests.cluster.kubectl import Namespace
from tests.cluster.releases import WITHOUT_JOBS, Release, until_all_have_pods
from tests.cluster.small_game import GAME, VERSION, SmallGame, deployment
from tests.cluster.waiting import until_true

WHALES, ASIA = deployment("whales"), deployment("asia")
FOLLOWS_S = 1.0
READY_S = 90.0
RESTART_S = 60.0


class Watched:
    """The results of the discovery so far."""

    def __init__(self) -> None:
        self.endpoints = Endpoints()
        self.changes = 0
        self.was_empty = False  # whether whales had no replica after it had one
        self._changed = asyncio.Condition()

    async def follow(self, slices: EndpointSlices) -> None:
        async for endpoints in slices.watch():
            self.was_empty |= bool(self.of("whales")) and not endpoints.of(GAME, VERSION, "whales")
            self.endpoints = endpoints
            self.changes += 1
            async with self._changed:
                self._changed.notify_all()

    def of(self, model: str) -> frozenset[str]:
        return frozenset(self.endpoints.of(GAME, VERSION, model))

    async def until(self, model: str, addresses: frozenset[str], within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: self.of(model) == addresses)
        except TimeoutError:
            pytest.fail(f"{model}: expected {addresses} within {within_s:g} s, got {self.of(model)}")


@asynccontextmanager
async def watching(namespace: Namespace, folder: Path) -> AsyncIterator[Watched]:
    watched = Watched()
    slices = EndpointSlices(account_of(namespace, folder), [GAME])
    following = asyncio.create_task(watched.follow(slices))
    try:
        yield watched
    finally:
        following.cancel()
        await asyncio.wait([following])
        assert following.cancelled()


def account_of(namespace: Namespace, folder: Path) -> ServiceAccount:
    """The supervisor's service account, in a folder as in a pod."""
    server = namespace.cluster.settings()["clusters"][0]["cluster"]
    folder.mkdir()
    (folder / "token").write_text(namespace.run("create", "token", f"{GAME}-supervisor"))
    (folder / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
    (folder / "namespace").write_text(namespace.name)
    return ServiceAccount(server["server"], namespace.name, folder)


@pytest.fixture
def installed(release: Release, game: SmallGame) -> Namespace:
    game.put_files(release.namespace)
    release.install(game.catalog, *WITHOUT_JOBS)
    until_all_have_pods(release.namespace)
    return release.namespace


async def ready(namespace: Namespace, service: str, count: int) -> frozenset[str]:
    """The addresses of a Service's pods, once exactly `count` of them are ready."""

    def enough() -> frozenset[str]:
        addresses = namespace.ready(service)
        return addresses if len(addresses) == count else frozenset()

    return await until_true(enough, READY_S, f"{service} has {count} ready pods")


MIN_3 = '{"spec": {"minReplicas": 3, "maxReplicas": 3}}'


async def test_discovery_finds_replicas_and_follows_a_scale_up_within_a_second(
    installed: Namespace, tmp_path: Path
) -> None:
    one = await ready(installed, WHALES, 1)
    async with watching(installed, tmp_path / "account") as watched:
        await watched.until("whales", one, READY_S)
        assert await asyncio.to_thread(scaled, installed)
        await watched.until("whales", await ready(installed, WHALES, 3), FOLLOWS_S)
        assert watched.of("whales") > one


async def test_discovery_follows_a_rollout_within_a_second(installed: Namespace, tmp_path: Path) -> None:
    assert await asyncio.to_thread(scaled, installed)
    old = await ready(installed, WHALES, 3)
    pods = names(installed)
    async with watching(installed, tmp_path / "account") as watched:
        await watched.until("whales", old, READY_S)
        await asyncio.to_thread(installed.run, "rollout", "restart", f"deployment/{WHALES}")
        await until_true(lambda: len(names(installed) - pods) == len(names(installed)) == 3, READY_S, "other pods")
        await watched.until("whales", await ready(installed, WHALES, 3), FOLLOWS_S)
        assert not watched.was_empty
        assert watched.changes > 1


def names(namespace: Namespace) -> set[str]:
    """The names of the pods of whales."""
    return {one["metadata"]["name"] for one in namespace.all("pods", "ensemble-mesh/model=whales")}


async def test_discovery_keeps_its_endpoints_while_the_api_server_restarts_and_then_continues(
    installed: Namespace, tmp_path: Path
) -> None:
    restart = command("MESH_TEST_API_RESTART", "the tests cannot restart the API server")
    one, other = await ready(installed, WHALES, 1), await ready(installed, ASIA, 1)
    async with watching(installed, tmp_path / "account") as watched:
        await watched.until("whales", one, READY_S)
        await asyncio.to_thread(subprocess.run, restart, check=True, timeout=RESTART_S)
        assert watched.of("whales") == one
        await until_true(lambda: scaled(installed), RESTART_S, "the scale can be set")
        await watched.until("whales", await ready(installed, WHALES, 3), FOLLOWS_S + LONGEST_PAUSE_S)
        assert watched.of("asia") == other
        assert not watched.was_empty


def scaled(namespace: Namespace) -> bool:
    """Scales whales to 3 by its HPA, which would undo a change of the Deployment; returns whether that succeeded."""
    return namespace.call("patch", "hpa", WHALES, "--type=merge", "--patch", MIN_3).returncode == 0
