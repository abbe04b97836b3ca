"""The catalog of a running game changes by Helm: no pod restarts, every answer is right, and bad catalogs are refused.

`pytest -s` shows the measured seconds.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.cluster.backend import CONTEXT
from tests.cluster.conftest import temporary
from tests.cluster.kubectl import Cluster, Namespace
from tests.cluster.releases import Release
from tests.cluster.small_game import GAME, PLAYERS, SmallGame, deployment
from tests.cluster.test_running_mesh import SUPERVISORS, names, ready, restarts
from tests.cluster.waiting import until, until_true

FIRST, SECOND, ADDED = "2026-10", "2026-11", "2026-12"
MODELS = {FIRST: ("whales", "minnows", "asia"), SECOND: ("pvp", "loners", "europe")}
SUPERVISOR = f"{GAME}-supervisor"
START_S = 240.0
IN_FORCE_S = 60.0
POLL_S = 0.02
METRICS_PORT = 9100
RATE_RPS = 15.0
BUDGET_MS = 5000  # a machine with two cores is busy with Helm meanwhile
LOAD_S = 40.0
UNCHECKED = ("--set", "kubernetes.check=false")

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class Mesh:
    """The installed game, and catalogs for it."""

    namespace: Namespace
    release: Release
    game: SmallGame
    folder: Path

    def catalog(self, shares: Mapping[str, float], **keys: Any) -> Path:
        """Writes a catalog of the versions in `shares`, in percent of the players; `keys` are those of the game."""
        values = self._values(shares)
        return self._write(values | keys)

    def local_catalog(self) -> Path:
        """Writes a catalog of both versions for this machine, to compute their scores."""
        files = self.game.catalog.parent
        values = self._values({FIRST: 50, SECOND: 50})
        values["features"]["path"] = str(files / values["features"]["path"])
        values["offers"]["path"] = str(files / values["offers"]["path"])
        for version in values["versions"].values():
            version["models"] = [model | {"uri": str(files / model["uri"])} for model in version["models"]]
        return self._write(values)

    def _values(self, shares: Mapping[str, float]) -> dict[str, Any]:
        values = self.game.values() | {"budget_ms": BUDGET_MS}
        values["features"]["timeout_ms"] = BUDGET_MS
        models = {
            model["name"]: {"name": model["name"], "uri": model["uri"]} for model in values["versions"][FIRST]["models"]
        }
        values["versions"] = {
            version: {"traffic": share, "combine": {"quorum": 2}, "models": [models[name] for name in MODELS[version]]}
            for version, share in shares.items()
        }
        return values

    def _write(self, values: Mapping[str, Any]) -> Path:
        path = self.folder / f"catalog-{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(dict(values), sort_keys=False), encoding="utf-8")
        return path

    def is_at_rest(self) -> bool:
        """Whether all pods are ready, and no others exist."""
        states = [ready(pod) for pod in self.namespace.all("pods") if "job-name" not in pod["metadata"]["labels"]]
        return all(states) and len(states) == sum(self.namespace.replicas().values())

    def supervisors(self) -> list[str]:
        """The addresses of the ready supervisors."""
        return sorted(self.namespace.ready(SUPERVISOR))

    def containers(self) -> dict[str, int]:
        """The restarts of every pod, by name."""
        return {pod["metadata"]["name"]: restarts(pod) for pod in self.namespace.all("pods")}


@pytest.fixture(scope="module")
def mesh(running_pods: Cluster, helm: str, game: SmallGame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The game with two versions, the first of which has all the players."""
    with temporary(running_pods) as namespace:
        game.put_files(namespace)
        made = Mesh(namespace, Release(helm, namespace, GAME), game, tmp_path_factory.mktemp("catalogs"))
        made.release.install(made.catalog({FIRST: 100, SECOND: 0}))
        until(made.is_at_rest, START_S, "every pod is ready")
        yield made


async def version_of(address: str, player: int) -> str:
    """The version by which a supervisor answers a player."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        request = offers_pb2.GetOfferRequest(game=GAME, player_id=f"player-{player:05d}", context=CONTEXT)
        answer: offers_pb2.GetOfferResponse = await stub.GetOffer(request, timeout=IN_FORCE_S)
        return str(answer.version)


async def versions_of(address: str) -> dict[str, int]:
    """The number of players that a supervisor answers by each version, of 50 players."""
    found = [await version_of(address, player) for player in range(50)]
    return {version: found.count(version) for version in sorted(set(found))}


async def first_answer_s(address: str, player: int, version: str) -> float:
    """The time at which a supervisor first answers a player by `version`."""
    async with asyncio.timeout(IN_FORCE_S):
        while await version_of(address, player) != version:  # noqa: ASYNC110 (another process has no event)
            await asyncio.sleep(POLL_S)
    return time.monotonic()


async def player_to_move(address: str, version: str) -> int:
    """A player whom a supervisor answers by another version."""
    for player in range(PLAYERS):
        if await version_of(address, player) != version:
            return player
    raise AssertionError(f"all players have {version}")


async def changed_s(mesh: Mesh) -> float:
    """The time at which a watch of the API server reports the next change of the catalog's ConfigMap."""
    cluster = mesh.namespace.cluster
    words = ["--namespace", mesh.namespace.name, "get", "configmap", f"{GAME}-catalog", "--watch-only", "-o", "name"]
    process = await asyncio.create_subprocess_exec(
        cluster.program, *words, env=cluster.environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(IN_FORCE_S):
            await process.stdout.readline()
        return time.monotonic()
    finally:
        process.kill()
        await process.communicate()


async def timed(mesh: Mesh, version: str, change: Callable[[], object]) -> str:
    """Runs `change` in a thread; returns how long every supervisor took until its first answer by `version`."""
    addresses = mesh.supervisors()
    player = await player_to_move(addresses[0], version)
    watching = asyncio.create_task(changed_s(mesh))
    asking = [asyncio.create_task(first_answer_s(address, player, version)) for address in addresses]
    await asyncio.sleep(1)  # until the watch is open; the figures do not depend on it
    started_s = time.monotonic()
    await asyncio.to_thread(change)
    returned_s = time.monotonic()
    applied_s = await watching
    answered = [await one for one in asking]
    after = ", ".join(f"{one - applied_s:+.2f} s" for one in answered)
    return (
        f"ConfigMap changed {applied_s - started_s:.2f} s after the start of the command, which took "
        f"{returned_s - started_s:.2f} s; first answers by {version} {after} after the change"
    )


@asynccontextmanager
async def checked_load(mesh: Mesh) -> AsyncIterator[list[dict[str, Any]]]:
    """Sends requests to every supervisor for `LOAD_S`; the reports compare every score with LightGBM's."""
    catalog = mesh.local_catalog()
    reports: list[dict[str, Any]] = []
    running = [await _start_load(mesh, address, catalog) for address in mesh.supervisors()]
    try:
        yield reports
        for process in running:
            out, err = await asyncio.wait_for(process.communicate(), LOAD_S + START_S)
            assert out, err
            reports.append(json.loads(out))
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def _start_load(mesh: Mesh, address: str, catalog: Path) -> asyncio.subprocess.Process:
    words = ["--address", address, "--game", GAME, "--players", str(PLAYERS), "--rate", f"{RATE_RPS:g}"]
    words += ["--deadline-ms", str(BUDGET_MS)]
    words += ["--seconds", f"{LOAD_S:g}", "--check", "--catalog", str(catalog), "--json"]
    words += ["--out", str(mesh.folder / f"run-{address.rpartition(':')[0]}.json")]
    for pair in ("session_minutes=12", "platform=ios", "is_weekend=true"):
        words += ["--context", pair]
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "loadtest", "run", *words]
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


def refused(address: str) -> bool:
    """Whether a supervisor reports that it has refused the latest catalog."""
    url = f"http://{address.rpartition(':')[0]}:{METRICS_PORT}/metrics"
    with urllib.request.urlopen(url, timeout=IN_FORCE_S) as answer:
        return f'mesh_catalog_refused{{game="{GAME}"}} 1.0' in answer.read().decode()


async def test_upgrades_of_traffic_restart_no_pod_and_every_answer_is_right(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "the mesh is at rest")
    before = mesh.containers()
    async with checked_load(mesh) as reports:
        for first, seen in ((90, None), (50, None), (0, SECOND), (50, None), (100, FIRST)):
            catalog = mesh.catalog({FIRST: first, SECOND: 100 - first})
            upgrade = functools.partial(mesh.release.upgrade, catalog, *UNCHECKED)
            if seen is None:  # no player is sure to move
                await asyncio.to_thread(upgrade)
            else:
                print(f"\n{FIRST} to {first} %:", await timed(mesh, seen, upgrade))
    for report in reports:
        print(f"\n{report['requests']} requests, {report['classes']}, {report.get('reasons')}")
    assert before.items() <= mesh.containers().items()  # an HPA may have added pods
    for report in reports:
        assert {name: report["classes"].get(name, 0) for name in ("wrong", "error", "fallback", "unsent")} == {
            "wrong": 0,
            "error": 0,
            "fallback": 0,
            "unsent": 0,
        }


async def test_pod_that_starts_during_a_bad_upgrade_serves_the_last_good_catalog(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "the mesh is at rest")
    await asyncio.to_thread(mesh.release.upgrade, mesh.catalog({FIRST: 0, SECOND: 100}), *UNCHECKED)
    bad = mesh.catalog({FIRST: 100, SECOND: 0}, context={"session_minutes": "number"})
    bad.write_text(bad.read_text().replace("quorum: 2", "quorum: 9"))
    await asyncio.to_thread(mesh.release.upgrade, bad, *UNCHECKED)
    await until_true(lambda: all(map(refused, mesh.supervisors())), IN_FORCE_S, "every supervisor refuses the catalog")
    victim = sorted(names(mesh.namespace, SUPERVISORS))[0]
    await asyncio.to_thread(mesh.namespace.run, "delete", "pod", victim, "--wait=false")
    await until_true(
        lambda: mesh.is_at_rest() and victim not in names(mesh.namespace, SUPERVISORS), START_S, "a new pod"
    )
    for address in mesh.supervisors():
        assert await versions_of(address) == {SECOND: 50}
        assert await asyncio.to_thread(refused, address)
    await asyncio.to_thread(mesh.release.rollback)
    await until_true(
        lambda: not any(map(refused, mesh.supervisors())), IN_FORCE_S, "every supervisor accepts the catalog"
    )
    print(f"\nrollback from {SECOND} to {FIRST}:", await timed(mesh, FIRST, lambda: mesh.release.rollback(1)))


async def test_added_version_starts_with_its_minimum_and_others_keep_their_replicas(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "the mesh is at rest")
    scaled = deployment("minnows")
    mesh.namespace.run("scale", f"deployment/{scaled}", "--replicas=2")
    values = yaml.safe_load(mesh.catalog({FIRST: 100, SECOND: 0}).read_text())
    values["versions"][ADDED] = values["versions"][SECOND] | {"replicas": {"min": 2}}
    path = mesh.folder / "added.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    await asyncio.to_thread(mesh.release.upgrade, path)
    replicas = mesh.namespace.replicas()
    assert {name: replicas[f"{GAME}-{ADDED}-{name}"] for name in MODELS[SECOND]} == dict.fromkeys(MODELS[SECOND], 2)
    assert replicas[scaled] == 2
    await asyncio.to_thread(mesh.release.upgrade, mesh.catalog({FIRST: 100, SECOND: 0}))
    assert mesh.namespace.replicas()[scaled] == 2


async def test_check_stops_an_upgrade_that_would_leave_players_without_models(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "the mesh is at rest")
    before = mesh.namespace.get("configmap", f"{GAME}-catalog")["data"]
    with pytest.raises(AssertionError, match=f"{FIRST} is removed, but it has 100 % of the players"):
        await asyncio.to_thread(mesh.release.upgrade, mesh.catalog({SECOND: 100}))
    assert mesh.namespace.get("configmap", f"{GAME}-catalog")["data"] == before


async def test_undone_rollout_of_supervisors_serves_the_last_good_catalog(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "the mesh is at rest")
    good = {FIRST: 0, SECOND: 100}
    await asyncio.to_thread(mesh.release.upgrade, mesh.catalog(good), *UNCHECKED)
    bad = mesh.catalog({FIRST: 100, SECOND: 0}, supervisor={"pod": {"env": {"NEW": "1"}}})
    bad.write_text(bad.read_text().replace("quorum: 2", "quorum: 9"))
    before = names(mesh.namespace, SUPERVISORS)
    await asyncio.to_thread(mesh.release.upgrade, bad, *UNCHECKED)
    await _until_replaced(mesh, before)
    before = names(mesh.namespace, SUPERVISORS)
    await asyncio.to_thread(mesh.namespace.run, "rollout", "undo", f"deployment/{SUPERVISOR}")
    await _until_replaced(mesh, before)
    for address in mesh.supervisors():
        assert await versions_of(address) == {SECOND: 50}


async def _until_replaced(mesh: Mesh, before: set[str]) -> None:
    def replaced() -> bool:
        return mesh.is_at_rest() and not before & names(mesh.namespace, SUPERVISORS)

    await until_true(replaced, START_S, "every supervisor is replaced")
