"""Workers die and freeze under load: no request fails, every answer comes in time and says what it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.meshes import FEW, Mesh, World

DEADLINE_S = 0.3
SHORT_S = 0.02
CALLERS = 8
PATIENCE_S = 30
BACK_S = 2.0


@dataclass(slots=True)
class Load:
    """What callers heard, in order of arrival: (monotonic time, answer)."""

    answers: list[tuple[float, Any]] = field(default_factory=list)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hears(self, what: Callable[[Any], bool]) -> float:
        """When the first answer from now on that is `what` came."""
        seen = len(self.answers)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for when, answer in self.answers[seen:]:
                    seen += 1
                    if what(answer):
                        return when
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def mesh(world: World, tmp_path: Path) -> Iterator[Mesh]:
    """A mesh of five models, three of which are a quorum; a test may kill what it likes."""
    catalog = yaml.safe_load(world.catalog.read_text())
    catalog["versions"] = {"median": {**catalog["versions"]["median"], "traffic": 100}}
    path = world.catalog.with_name(f"{tmp_path.name}.yaml")
    path.write_text(yaml.safe_dump(catalog))
    with meshes.running(path) as mesh:
        yield mesh


@contextlib.asynccontextmanager
async def load_on(mesh: Mesh) -> AsyncIterator[Load]:
    """Callers that ask one after the other, each with a deadline of its own, for as long as the block lasts."""
    load = Load()
    async with grpc.aio.insecure_channel(mesh.address) as channel, asyncio.TaskGroup() as group:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        over = asyncio.Event()
        for caller in range(CALLERS):
            group.create_task(_call(stub, caller, load, over))
        try:
            yield load
        finally:
            over.set()


async def _call(stub: Any, caller: int, load: Load, over: asyncio.Event) -> None:
    request = wire.GetOfferRequest(game="testgame", player_id=f"player-{caller}")
    while not over.is_set():
        try:
            answer = await stub.GetOffer(request, timeout=DEADLINE_S)
            load.answers.append((time.monotonic(), answer))
        except grpc.aio.AioRpcError as error:
            load.failures.append(error)
        load.news.set()
        await asyncio.sleep(0.01)  # a caller's pause between two log-ins: load, not a wait for something


def is_whole(answer: Any) -> bool:
    return bool(answer.source == wire.ENSEMBLE)


def misses_only(model: str) -> Callable[[Any], bool]:
    return lambda answer: answer.source == wire.PARTIAL and [one.model for one in answer.missing_models] == [model]


async def test_a_killed_worker_costs_its_own_vote_until_it_is_back(mesh: Mesh) -> None:
    async with load_on(mesh) as load:
        await load.hears(is_whole)
        os.kill(mesh.pid("rf"), signal.SIGKILL)
        await load.hears(misses_only("rf"))
        back_s = await mesh.said("rf is back", PATIENCE_S)
        whole_s = await load.hears(is_whole)

    assert not load.failures
    assert whole_s - back_s < BACK_S


async def test_without_any_worker_the_fallback_comes_in_time_and_the_whole_comes_back(mesh: Mesh) -> None:
    async with load_on(mesh) as load:
        await load.hears(is_whole)
        for kind in FEW:
            os.kill(mesh.pid(kind.replace("_", "-")), signal.SIGKILL)
        await load.hears(lambda answer: answer.source == wire.FALLBACK)
        await load.hears(is_whole)

    assert not load.failures
    fallbacks = [answer for _, answer in load.answers if answer.source == wire.FALLBACK]
    assert {answer.offers[0].offer_id for answer in fallbacks} == {"starter-pack"}
    assert {answer.reason.partition(":")[0] for answer in fallbacks} == {"quorum"}


async def test_a_frozen_worker_costs_a_short_deadline_its_vote_and_a_long_one_nothing(mesh: Mesh) -> None:
    frozen = mesh.pid("dart")
    request = wire.GetOfferRequest(game="testgame", player_id="player-1")
    short, late = [], 0
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        await stub.GetOffer(request, timeout=DEADLINE_S)
        os.kill(frozen, signal.SIGSTOP)
        try:
            patient = [asyncio.ensure_future(stub.GetOffer(request, timeout=5)) for _ in range(3)]
            for _ in range(6):
                try:
                    short.append(await stub.GetOffer(request, timeout=SHORT_S))
                except grpc.aio.AioRpcError:
                    late += 1
        finally:
            os.kill(frozen, signal.SIGCONT)
        long = await asyncio.gather(*patient)

    assert late <= 1  # a shared machine may stop us all for longer than the answer's reserve, once
    assert {answer.source for answer in short} <= {wire.PARTIAL, wire.FALLBACK}
    partial = [answer for answer in short if answer.source == wire.PARTIAL]
    assert all("dart" in [one.model for one in answer.missing_models] for answer in partial)
    assert {answer.source for answer in long} == {wire.ENSEMBLE}
