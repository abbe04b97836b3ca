"""Removed replicas: they get no new rows, finish their outstanding rows, and no vote waits in vain."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import grpc
import pytest

from mesh.wire import inference_pb2 as oip
from supervisor import draining_lanes
from supervisor.connect_gate import ConnectGate
from supervisor.lane import Lane
from supervisor.lane_ports import LaneOwner
from supervisor.pool import ModelPool
from supervisor.shipment import Shipment
from tests.supervisor.replica import Replica, error_reply, replica, rows_of, silent, sums, until
from tests.supervisor.test_lane import HEADER, WITHIN_S, Ask, one_replica, pool_of, states
from tests.supervisor.virtual_time import settle

pytestmark = pytest.mark.whole_machine  # real time limits


@pytest.fixture(autouse=True)
def _no_lane_closes_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining_lanes, "DRAIN_S", 600.0)


def asking(pool: ModelPool, *levels: float) -> asyncio.Task[str | None]:
    return asyncio.create_task(Ask(pool, levels).failure())


async def received(fake: Replica) -> oip.ModelInferRequest:
    return await asyncio.wait_for(fake.received.get(), WITHIN_S)


async def test_removed_replica_finishes_its_rows_and_gets_no_new_ones() -> None:
    async with replica(HEADER, silent) as old, replica(HEADER) as new, pool_of(old) as pool:
        await until(lambda: states(pool) == ["up"])
        ask = Ask(pool, [1.0])
        failure = asyncio.create_task(ask.failure())
        await received(old)
        pool.assign([new.address])
        await until(lambda: states(pool) == ["up"])
        assert await Ask(pool, [2.0]).failure() is None
        assert (new.received.qsize(), old.received.qsize(), pool.outstanding_rows) == (1, 0, 1)
        old.release(sums(0.5))
        assert await failure is None
        assert ask.votes == [1.5]


async def test_overdue_rows_of_a_removed_replica_are_scored_by_another() -> None:
    async with replica(HEADER, silent) as old, replica(HEADER, sums(0.5)) as new, pool_of(old) as pool:
        await until(lambda: states(pool) == ["up"])
        pool.assign([old.address, new.address])
        await until(lambda: states(pool) == ["up", "up"])
        ask = Ask(pool, [1.0])
        failure = asyncio.create_task(ask.failure())
        await settle()
        pool.assign([new.address])
        assert await failure is None
        assert (ask.votes, pool.hedged_rows, pool.lanes_out) == ([1.5], 1, 0)


async def test_draining_lane_closes_when_nothing_is_outstanding() -> None:
    async with one_replica(silent) as (pool, fake):
        failure = asking(pool, 1.0)
        await received(fake)
        pool.assign([])
        assert len(pool._draining.lanes()) == 1
        fake.release(sums())
        assert await failure is None
        await until(lambda: not pool._draining.lanes())


async def test_rows_of_a_removed_replica_that_stops_go_to_another_replica() -> None:
    async with replica(HEADER, silent) as old, replica(HEADER) as new, pool_of(old) as pool:
        await until(lambda: states(pool) == ["up"])
        failure = asking(pool, 1.0)
        await received(old)
        pool.assign([new.address])
        await until(lambda: states(pool) == ["up"])
        await old.stop()
        assert await failure is None
        await until(lambda: not pool._draining.lanes())


async def test_draining_lane_closes_after_the_drain_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining_lanes, "DRAIN_S", 0.05)
    async with replica(HEADER, silent) as mute, replica(HEADER) as good, pool_of(mute, good) as pool:
        await until(lambda: states(pool) == ["up", "up"])
        failure = asking(pool, *map(float, range(8)))
        await received(mute)
        pool.assign([good.address])
        assert await failure is None


async def test_address_that_returns_while_its_lane_drains_gets_a_new_lane() -> None:
    async with one_replica(silent) as (pool, fake):
        first = asking(pool, 1.0)
        await received(fake)
        before = pool.lanes[fake.address]
        pool.assign([])
        pool.assign([fake.address])
        assert pool.lanes[fake.address] is not before
        await until(lambda: fake.streams == 2 and states(pool) == ["up"])
        fake.respond = sums()
        assert await Ask(pool, [2.0]).failure() is None
        assert not first.done()
        await fake.stop()
        assert await first is not None


async def test_rows_wait_for_a_connecting_successor() -> None:
    async with one_replica() as (pool, _), replica(HEADER) as new:
        pool.assign([new.address])
        failure = asking(pool, 1.0)
        assert states(pool) == ["connecting"]
        assert await failure is None


async def test_rows_that_wait_for_a_successor_fail_when_it_cannot_be_reached() -> None:
    async with one_replica() as (pool, _), replica(HEADER) as gone:
        await gone.stop()
        pool.assign([gone.address])
        failure = asking(pool, 1.0)
        assert await failure is not None


async def test_rows_that_wait_for_a_successor_are_sent_in_the_layout_of_its_file() -> None:
    other = replace(HEADER, feature_names=("spend", "level"))
    async with one_replica() as (pool, _), replica(other) as new:
        pool.assign([new.address])
        assert await asking(pool, 1.0) is None
        assert rows_of(await received(new)).tolist() == [[0.0, 1.0]]


async def test_successor_with_another_file_is_used_while_the_draining_lane_answers() -> None:
    other = replace(HEADER, feature_names=("spend", "level"))
    async with one_replica(silent) as (pool, fake), replica(other) as new:
        failure = asking(pool, 1.0)
        await received(fake)
        pool.assign([new.address])
        await until(lambda: states(pool) == ["up"])
        assert await asking(pool, 2.0) is None
        assert not failure.done()
        fake.release(sums())
        assert await failure is None


async def test_queued_rows_fail_when_the_last_replica_is_removed() -> None:
    async with one_replica(silent) as (pool, fake):
        asks = [asking(pool, *map(float, range(40))) for _ in range(2)]  # the second waits for the first
        await received(fake)
        await until(lambda: pool.waiting_rows > 0)
        pool.assign([])
        assert await asks[1] == "its replica is gone"
        fake.release(sums())
        assert await asks[0] is None


async def test_error_of_a_draining_replica_is_final_without_another_replica() -> None:
    async with one_replica(silent) as (pool, fake):
        failure = asking(pool, 1.0)
        await received(fake)
        pool.assign([])
        fake.release(_refusing)
        assert await failure == "draining"


async def test_close_of_a_pool_does_not_wait_for_draining_lanes() -> None:
    async with one_replica(silent) as (pool, fake):
        failure = asking(pool, 1.0)
        await received(fake)
        pool.assign([])
        await asyncio.wait_for(pool.close(), WITHIN_S)
        assert await failure is not None
        assert not pool._draining.lanes()


async def test_lane_is_down_as_soon_as_its_stream_ends() -> None:
    class EndedCall:
        status: asyncio.Future[grpc.StatusCode] = asyncio.get_running_loop().create_future()

        async def read(self) -> Any:
            return grpc.aio.EOF

        async def code(self) -> grpc.StatusCode:
            return await self.status

    lane: Lane[Shipment] = Lane("127.0.0.1:1", "m", cast(LaneOwner[Shipment], None), ConnectGate())
    lane.state = "up"
    call = EndedCall()
    reading = asyncio.create_task(lane._read(call))
    await settle()
    assert (lane.state, reading.done()) == ("down", False)
    call.status.set_result(grpc.StatusCode.OK)
    await reading


async def test_first_lane_that_goes_up_sets_the_event() -> None:
    async with replica(HEADER) as fake, pool_of(fake) as pool:
        assert not pool.was_up.is_set()
        await asyncio.wait_for(pool.was_up.wait(), WITHIN_S)


def _refusing(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
    return [error_reply(request, "draining")]
