"""Workers die and freeze under load: no request fails, every answer comes in time and says what it is."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S, is_whole, load_on
from tests.end_to_end.meshes import FEW, Mesh, World

DEADLINE_S = 0.3
SHORT_S = 0.02
BACK_S = 2.0


@pytest.fixture
def mesh(world: World, tmp_path: Path) -> Iterator[Mesh]:
    """A mesh of five models, three of which are a quorum; a test may kill what it likes."""
    catalog = yaml.safe_load(world.catalog.read_text())
    catalog["versions"] = {"median": {**catalog["versions"]["median"], "traffic": 100}}
    path = world.catalog.with_name(f"{tmp_path.name}.yaml")
    path.write_text(yaml.safe_dump(catalog))
    with meshes.running(path) as mesh:
        yield mesh


def misses_only(model: str) -> Callable[[Any], bool]:
    return lambda answer: answer.source == wire.PARTIAL and [one.model for one in answer.missing_models] == [model]


async def test_a_killed_worker_costs_its_own_vote_until_it_is_back(mesh: Mesh) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
        await load.hears(is_whole)
        os.kill(mesh.pid("rf"), signal.SIGKILL)
        await load.hears(misses_only("rf"))
        back_s = await mesh.said("rf is back", PATIENCE_S)
        whole_s = await load.hears(is_whole)

    assert not load.failures
    assert whole_s - back_s < BACK_S


async def test_without_any_worker_the_fallback_comes_in_time_and_the_whole_comes_back(mesh: Mesh) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
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
