"""Workers are killed and frozen under load: no request fails, and every answer is in time and describes itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.load import is_whole, load_on
from tests.end_to_end.meshes import FEW, World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

DEADLINE_S = 0.3
SHORT_S = 0.02
BACK_S = 2.0


@pytest.fixture(scope="module")
def mesh(world: World) -> Iterator[StartedMesh]:
    """A mesh with five models and a quorum of three. Each test leaves all its workers running."""
    with meshes.running(meshes.with_median_only(world, "faults.yaml")) as mesh:
        yield mesh


def pid_of(mesh: StartedMesh, model: str) -> int:
    """The current worker of `model`: its pid changes when it is started again."""
    parent = mesh.process.pid
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "--name" in words and words[words.index("--name") + 1] == model:
            return int(pid)
    raise AssertionError(f"no worker of {model} is running")


def misses_only(model: str) -> Callable[[Any], bool]:
    return lambda answer: answer.source == wire.PARTIAL and [one.model for one in answer.missing_models] == [model]


async def test_killed_worker_loses_only_its_own_vote_until_it_is_ready_again(mesh: StartedMesh) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
        await load.until(is_whole)
        os.kill(pid_of(mesh, "rf"), signal.SIGKILL)
        await load.until(misses_only("rf"))
        await asyncio.to_thread(mesh.stderr.line, "rf is ready again")
        ready_s = time.monotonic()
        whole_s = await load.until(is_whole)

    assert not load.failures
    assert whole_s - ready_s < BACK_S


async def test_mesh_without_workers_answers_with_the_fallback_in_time_until_they_are_ready_again(
    mesh: StartedMesh,
) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
        await load.until(is_whole)
        for kind in FEW:
            os.kill(pid_of(mesh, kind.replace("_", "-")), signal.SIGKILL)
        await load.until(lambda answer: answer.source == wire.FALLBACK)
        await load.until(is_whole)

    assert not load.failures
    fallbacks = [answer for _, answer in load.answers if answer.source == wire.FALLBACK]
    assert {answer.offers[0].offer_id for answer in fallbacks} == {"starter-pack"}
    assert {answer.reason.partition(":")[0] for answer in fallbacks} == {"quorum"}


async def test_frozen_worker_loses_its_vote_with_a_short_deadline_but_not_with_a_long_one(mesh: StartedMesh) -> None:
    frozen = pid_of(mesh, "dart")
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

    assert late <= 1  # once, a shared machine may stop all processes for longer than the reserve of an answer
    assert {answer.source for answer in short} <= {wire.PARTIAL, wire.FALLBACK}
    partial = [answer for answer in short if answer.source == wire.PARTIAL]
    assert all("dart" in [one.model for one in answer.missing_models] for answer in partial)
    assert {answer.source for answer in long} == {wire.ENSEMBLE}
