"""Replicas that are taken away: they get nothing new, finish what they have, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import grpc
import pytest

from mesh.wire import inference_pb2 as oip
from supervisor import leaving
from supervisor.lane import Lane, LaneOwner
from supervisor.pool import ModelPool
from tests.supervisor.replica import Replica, error_reply, replica, silent, sums, until
from tests.supervisor.test_lane import (
    HEADER,
    WITHIN_S,
    Absence,
    Ask,
    Verdict,
    Vote,
    one_replica,
    pool_of,
    states,
)
from tests.supervisor.virtual_time import settle


@pytest.fixture(autouse=True)
def _no_lane_leaves_for_want_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "DRAIN_S", 600.0)


def asking(pool: ModelPool, *levels: float) -> asyncio.Task[Verdict]:
    return asyncio.create_task(Ask(pool, levels).verdict())


async def received(played: Replica) -> oip.ModelInferRequest:
    return await asyncio.wait_for(played.received.get(), WITHIN_S)


async def test_a_replica_that_leaves_finishes_what_it_has_and_gets_nothing_new() -> None:
    async with replica(HEADER, silent) as old, replica(HEADER) as new, pool_of(old) as pool:
        await until(lambda: states(pool) == ["up"])
        ask = Ask(pool, [1.0])
        verdict = asyncio.create_task(ask.verdict())
        await received(old)
        pool.assign([new.address])
        await until(lambda: states(pool) == ["up"])
        assert await Ask(pool, [2.0]).verdict() == Vote("m")
        assert (new.received.qsize(), old.received.qsize(), pool.outstanding_rows) == (1, 0, 1)
        old.release(sums(0.5))
        assert await verdict == Vote("m")
        assert ask.votes == [1.5]


async def test_a_lane_that_leaves_is_closed_once_it_is_empty() -> None:
    async with one_replica(silent) as (pool, played):
        verdict = asking(pool, 1.0)
        await received(played)
        pool.assign([])
        assert len(pool._leaving.lanes()) == 1
        played.release(sums())
        assert await verdict == Vote("m")
        await until(lambda: not pool._leaving.lanes())


async def test_what_a_dying_replica_has_left_goes_to_its_sister() -> None:
    async with replica(HEADER, silent) as old, replica(HEADER) as new, pool_of(old) as pool:
        await until(lambda: states(pool) == ["up"])
        verdict = asking(pool, 1.0)
        await received(old)
        pool.assign([new.address])
        await until(lambda: states(pool) == ["up"])
        await old.stop()
        assert await verdict == Vote("m")
        await until(lambda: not pool._leaving.lanes())


async def test_a_replica_that_does_not_finish_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "DRAIN_S", 0.05)
    async with replica(HEADER, silent) as mute, replica(HEADER) as good, pool_of(mute, good) as pool:
        await until(lambda: states(pool) == ["up", "up"])
        verdict = asking(pool, *map(float, range(8)))
        await received(mute)
        pool.assign([good.address])
        assert await verdict == Vote("m")


async def test_an_address_that_comes_back_while_its_lane_leaves_gets_a_fresh_lane() -> None:
    async with one_replica(silent) as (pool, played):
        first = asking(pool, 1.0)
        await received(played)
        before = pool.lanes[played.address]
        pool.assign([])
        pool.assign([played.address])
        assert pool.lanes[played.address] is not before
        await until(lambda: played.streams == 2 and states(pool) == ["up"])
        played.respond = sums()
        assert await Ask(pool, [2.0]).verdict() == Vote("m")
        assert not first.done()
        await played.stop()
        assert isinstance(await first, Absence)


async def test_rows_wait_for_a_successor_that_is_just_being_connected() -> None:
    async with one_replica() as (pool, _), replica(HEADER) as new:
        pool.assign([new.address])
        verdict = asking(pool, 1.0)
        assert states(pool) == ["connecting"]
        assert await verdict == Vote("m")


async def test_rows_that_wait_for_a_successor_are_absent_at_once_when_it_cannot_be_reached() -> None:
    async with one_replica() as (pool, _), replica(HEADER) as gone:
        await gone.stop()
        pool.assign([gone.address])
        verdict = asking(pool, 1.0)
        assert isinstance(await verdict, Absence)


async def test_rows_laid_out_for_one_model_are_never_scored_by_its_successor_of_another_layout() -> None:
    other = replace(HEADER, feature_names=("spend", "level"))
    async with one_replica() as (pool, _), replica(other) as new:
        pool.assign([new.address])
        verdict = asking(pool, 1.0)
        assert await verdict == Absence("m", "its model was replaced by another")
        assert await Ask(pool, [1.0]).verdict() == Vote("m")


async def test_a_successor_of_another_model_is_not_used_before_the_last_rows_are_back() -> None:
    other = replace(HEADER, feature_names=("spend", "level"))
    async with one_replica(silent) as (pool, played), replica(other) as new:
        verdict = asking(pool, 1.0)
        await received(played)
        pool.assign([new.address])
        await until(lambda: "another model file" in pool.lanes[new.address].why_down)
        played.release(sums())
        assert await verdict == Vote("m")
        await until(lambda: states(pool) == ["up"])


async def test_when_the_last_replica_is_taken_away_nobody_waits() -> None:
    async with one_replica(silent) as (pool, played):
        asks = [asking(pool, *map(float, range(40))) for _ in range(2)]  # the second waits for the first
        await received(played)
        await until(lambda: pool.waiting_rows > 0)
        pool.assign([])
        assert await asks[1] == Absence("m", "its replica is gone")
        played.release(sums())
        assert await asks[0] == Vote("m")


async def test_a_refusal_by_a_replica_that_leaves_is_final_when_there_is_no_other() -> None:
    async with one_replica(silent) as (pool, played):
        verdict = asking(pool, 1.0)
        await received(played)
        pool.assign([])
        played.release(_refusing)
        assert await verdict == Absence("m", "draining")


async def test_closing_a_pool_does_not_wait_for_lanes_that_leave() -> None:
    async with one_replica(silent) as (pool, played):
        verdict = asking(pool, 1.0)
        await received(played)
        pool.assign([])
        await asyncio.wait_for(pool.close(), WITHIN_S)
        assert isinstance(await verdict, Absence)
        assert not pool._leaving.lanes()


async def test_nothing_is_sent_to_a_replica_from_the_moment_that_its_stream_has_ended() -> None:
    class EndedCall:
        status: asyncio.Future[grpc.StatusCode] = asyncio.get_running_loop().create_future()

        async def read(self) -> Any:
            return grpc.aio.EOF

        async def code(self) -> grpc.StatusCode:
            return await self.status

    lane = Lane("127.0.0.1:1", "m", cast(LaneOwner, None))
    lane.state = "up"
    call = EndedCall()
    reading = asyncio.create_task(lane._read(call))
    await settle()
    assert (lane.state, reading.done()) == ("down", False)
    call.status.set_result(grpc.StatusCode.OK)
    await reading


async def test_the_first_lane_that_is_up_is_told() -> None:
    async with replica(HEADER) as played, pool_of(played) as pool:
        assert not pool.was_up.is_set()
        await asyncio.wait_for(pool.was_up.wait(), WITHIN_S)


def _refusing(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
    return [error_reply(request, "draining")]
