"""Guards in a real mesh: a version that loses votes and a slow one lose their players; a slow store moves nobody."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from emulators.fault_process import FaultyDynamoDB
from emulators.faults import Fault
from loadtest.micro.features.table import block, serving_table
from mesh.cli.metrics_page import fetch
from mesh.players.features import Columns, PlayerFeatures
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.meshes import NUMBERS, TEXTS, World
from tests.end_to_end.test_faults import pid_of
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

BUDGET_S = 0.3
WINDOW_S = 10.0
CALLERS = 12
PLAYERS = [f"player-{number}" for number in range(200)]
NEW, OLD = ("dart", "rf", "pandas"), ("binary", "missing_nan")


@dataclass(frozen=True)
class Guarded:
    """A running mesh with the versions `new`, which has a guard, and `old`, in front of a store that can be slow."""

    mesh: StartedMesh
    catalog: Path
    store: FaultyDynamoDB

    def metric(self, name: str, **labels: str) -> float:
        return fetch(self.mesh.ready["metrics"]).total(name, **labels)

    async def set_guard(self, **bounds: float) -> None:
        """Replaces the guard; the version then has its players again."""
        content = yaml.safe_load(self.catalog.read_text())
        content["versions"]["new"]["guard"] = {"to": "old", "window_s": WINDOW_S, "min_requests": 50, **bounds}
        fresh = self.catalog.with_suffix(".fresh")
        fresh.write_text(yaml.safe_dump(content))
        fresh.replace(self.catalog)
        await asyncio.to_thread(self.mesh.stderr.line, "a new catalog is in force")

    async def until_tripped(self) -> float:
        """Waits until the guard has tripped; returns the seconds that it took."""
        begin_s = time.monotonic()
        async with asyncio.timeout(WINDOW_S):
            while not await asyncio.to_thread(self.metric, "mesh_guard_tripped"):  # noqa: ASYNC110 (a process)
                await asyncio.sleep(0.05)
        return time.monotonic() - begin_s


@pytest.fixture(scope="module")
def guarded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    columns, players = Columns(NUMBERS, TEXTS), world.players[: len(PLAYERS)]
    items = [
        (one.id, PlayerFeatures(one.numbers.astype("<f8").tobytes(), (one.platform,), time.time())) for one in players
    ]
    with serving_table(tmp_path_factory.mktemp("store"), "packed", columns, items, items) as store:
        content: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
        content["features"] = {**block("packed", columns, store.endpoint, 280), "cache_ttl_s": 0.01}
        content["budget_ms"] = BUDGET_S * 1000
        models = {kind: {"name": kind.replace("_", "-"), "uri": f"{kind}.txt"} for kind in (*NEW, *OLD)}
        content["versions"] = {
            "new": {"traffic": 50, "combine": {"quorum": 1}, "models": [models[kind] for kind in NEW]},
            "old": {"traffic": 50, "combine": {"quorum": 1}, "models": [models[kind] for kind in OLD]},
        }
        catalog = world.catalog.with_name("guarded.yaml")
        catalog.write_text(yaml.safe_dump(content))
        with meshes.running(catalog) as mesh:
            yield Guarded(mesh, catalog, store)


@contextlib.asynccontextmanager
async def load(mesh: StartedMesh) -> AsyncIterator[list[Any]]:
    """Requests offers for all players during the block; yields the answers."""
    answers: list[Any] = []
    stop = asyncio.Event()

    async def call(stub: Any, first: int) -> None:
        number = first
        while not stop.is_set():
            number += 1
            request = wire.GetOfferRequest(game="testgame", player_id=PLAYERS[number % len(PLAYERS)])
            with contextlib.suppress(grpc.aio.AioRpcError):  # late: the store has used the whole deadline
                answers.append(await stub.GetOffer(request, timeout=BUDGET_S))
            await asyncio.sleep(0.02)

    async with grpc.aio.insecure_channel(mesh.address) as channel, asyncio.TaskGroup() as callers:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        for caller in range(CALLERS):
            callers.create_task(call(stub, caller * 17))
        try:
            yield answers
        finally:
            stop.set()


@contextlib.asynccontextmanager
async def repeated(fault: Any, every_s: float) -> AsyncIterator[None]:
    """Causes a fault again and again during the block."""

    async def cause() -> None:
        while True:
            fault()
            await asyncio.sleep(every_s)

    causing = asyncio.create_task(cause())
    try:
        yield
    finally:
        causing.cancel()
        await asyncio.wait((causing,))


async def test_version_that_loses_votes_loses_its_players(guarded: Guarded) -> None:
    await guarded.set_guard(whole=99)

    def kill() -> None:
        with contextlib.suppress(AssertionError, ProcessLookupError):  # it is not running again yet
            os.kill(pid_of(guarded.mesh, "rf"), signal.SIGKILL)

    async with load(guarded.mesh) as answers, repeated(kill, 0.5):
        await guarded.until_tripped()
        seen = len(answers) + CALLERS  # these were asked before
        async with asyncio.timeout(WINDOW_S):
            while len(answers) < seen + 200:  # noqa: ASYNC110 (a count of answers)
                await asyncio.sleep(0.05)
    assert {answer.version for answer in answers[seen:]} == {"old"}
    assert guarded.metric("mesh_traffic_share", version="old") == 1


async def test_version_with_a_slow_model_loses_its_players(guarded: Guarded) -> None:
    await guarded.set_guard(p99_ms=100)
    slow = pid_of(guarded.mesh, "dart")

    def pause() -> None:
        os.kill(slow, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.2, os.kill, slow, signal.SIGCONT)

    async with load(guarded.mesh):
        async with repeated(pause, 0.25):
            await guarded.until_tripped()
        await asyncio.sleep(0.3)  # until the model runs again
    assert guarded.metric("mesh_traffic_share", version="new") == 0


async def test_slow_store_moves_nobody(guarded: Guarded) -> None:
    await guarded.set_guard(whole=99, p99_ms=100)
    async with load(guarded.mesh) as answers:
        guarded.store.set(Fault("slow", delay_ms=240))
        try:
            await asyncio.sleep(WINDOW_S)  # the whole window of the guard, which must not trip in it
        finally:
            guarded.store.set(Fault())
    assert guarded.metric("mesh_guard_tripped") == 0
    assert guarded.metric("mesh_traffic_share", version="new") == 0.5
    slow = [answer for answer in answers if answer.timings.features_ms > 200]
    assert {answer.version for answer in slow} == {"new", "old"}
    assert len(slow) > 50
