"""How a lane reconnects: pauses, turns, reasons, new replicas, and many lanes to a process that does not run."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from mesh import serving
from mesh.back_off import Uniform
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from supervisor import lane as lane_module
from supervisor.connect_gate import ConnectGate
from supervisor.lane import Lane
from supervisor.pool import ModelPool
from supervisor.rows import RowPlanner
from supervisor.shipment import Shipment
from tests.supervisor.fake_starvation import NEVER_STARVED
from tests.supervisor.replica import replica, until
from tests.supervisor.test_lane import COLUMNS, HEADER, WITHIN_S, Ask, states, why_down
from tests.supervisor.virtual_time import in_virtual_time, now_s

REPLICA_PROCESS = """
import asyncio
from tests.supervisor.replica import replica
from tests.supervisor.test_lane import HEADER

async def main():
    async with replica(HEADER) as fake:
        print(fake.address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class IgnoringOwner:
    """An owner that does nothing."""

    def accept(self, *_: object) -> None: ...

    def on_up(self, lane: Lane[Shipment]) -> None: ...

    def on_down(self, lane: Lane[Shipment], lost: list[Shipment]) -> None: ...

    def on_reply(self, *_: object) -> None: ...


def lane_to(address: str, gate: ConnectGate, uniform: Uniform) -> Lane[Shipment]:
    return Lane(address, "m", IgnoringOwner(), gate, uniform)


class Script(Lane[Shipment]):
    """A lane without a network. A session is up for a number of seconds (0: it does not connect), and has a reason."""

    def __init__(self, *sessions: tuple[float, str]) -> None:
        super().__init__("a:1", "m", IgnoringOwner(), ConnectGate(), self._longest)
        self.pauses: list[tuple[float, float]] = []
        self.over = asyncio.Event()
        self._sessions = iter(sessions)

    async def play(self) -> list[tuple[float, float]]:
        """Runs all sessions; returns the range of the pause after each."""
        running = asyncio.create_task(self.run())
        await self.over.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return self.pauses

    async def _session(self) -> str:
        up_s, reason = next(self._sessions, (0.0, ""))
        if not reason:
            self.over.set()
            await asyncio.Event().wait()
        if up_s:
            self._go_up()
            await asyncio.sleep(up_s)
        return reason

    def _longest(self, low_s: float, high_s: float) -> float:
        self.pauses.append((low_s, high_s))
        return high_s


def highs(pauses: Sequence[tuple[float, float]]) -> list[float]:
    return [high_s for _, high_s in pauses]


@in_virtual_time
async def test_pauses_grow_to_ten_seconds_with_jitter() -> None:
    pauses = await Script(*[(0.0, "refused")] * 9).play()
    assert highs(pauses) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])
    assert [low_s for low_s, _ in pauses] == [high_s / 2 for high_s in highs(pauses)]


@in_virtual_time
async def test_steady_stream_makes_the_pauses_short_again() -> None:
    pauses = await Script(*[(0.0, "refused")] * 3, (5.1, "lost"), (0.0, "refused")).play()
    assert highs(pauses) == pytest.approx([0.1, 0.2, 0.4, 0.1, 0.2])


@in_virtual_time
async def test_streams_that_end_early_make_the_pauses_longer() -> None:
    pauses = await Script(*[(4.9, "lost")] * 4).play()
    assert highs(pauses) == pytest.approx([0.1, 0.2, 0.4, 0.8])


@in_virtual_time
async def test_time_of_an_attempt_is_a_part_of_the_pause_after_it() -> None:
    lane = Script(*[(0.0, "no answer")] * 9)
    lane._attempt_s = 10.0
    began_s = now_s()
    await lane.play()
    assert now_s() - began_s == pytest.approx(9 * 0.1, abs=0.01)


@in_virtual_time
async def test_each_reason_is_logged_once_until_the_lane_is_up_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sessions = [(0.0, "refused"), (0.0, "too late"), (0.0, "refused"), (1.0, "lost"), (0.0, "refused")]
    await Script(*sessions).play()
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["refused", "too late", "lost", "refused"]


@in_virtual_time
async def test_reasons_that_always_differ_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await Script(*((0.0, f"reason {number}") for number in range(20))).play()
    assert len(caplog.messages) == lane_module.MAX_REASONS


class RecordingGate(ConnectGate):
    """Keeps the number of failures before each attempt, and the highest number of attempts at the same time."""

    def __init__(self, turns: int = 1) -> None:
        super().__init__(turns)
        self.failures: list[int] = []
        self.most_under_way = 0
        self._under_way = 0

    @asynccontextmanager
    async def turn(self, failures: int) -> AsyncIterator[float]:
        self.failures.append(failures)
        async with super().turn(failures) as limit_s:
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
            try:
                yield limit_s
            finally:
                self._under_way -= 1


@asynccontextmanager
async def pool_with(gate: ConnectGate, *addresses: str) -> AsyncIterator[ModelPool]:
    pool = ModelPool(
        Model(name="m", uri="m.txt"), RowPlanner(Sources(COLUMNS, {}, None)), COLUMNS, NEVER_STARVED, 1, gate
    )
    pool.assign(addresses)
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), WITHIN_S)


@pytest.fixture
def _long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a new replica, no test reaches the end of a pause."""
    monkeypatch.setattr(lane_module, "FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(lane_module, "LONGEST_PAUSE_S", 3600.0)


async def _gone() -> str:
    async with replica(HEADER) as fake:
        return fake.address


@pytest.mark.usefixtures("_long_pauses")
async def test_replica_that_is_listed_again_is_tried_at_once_before_the_others() -> None:
    address, gate = await _gone(), RecordingGate()
    async with pool_with(gate, address) as pool:
        await until(lambda: states(pool) == ["down"])
        pool.assign([])
        async with replica(HEADER, port=int(address.rpartition(":")[2])):
            pool.assign([address])
            await until(lambda: states(pool) == ["up"])
    assert gate.failures == [0, 0]


async def test_later_attempts_have_their_number_of_failures() -> None:
    address, gate = await _gone(), RecordingGate()
    running = asyncio.create_task(lane_to(address, gate, lambda *_: 0.0).run())
    await until(lambda: len(gate.failures) >= 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert gate.failures[:4] == [0, 1, 2, 3]


async def test_lane_that_waits_long_for_its_first_turn_is_down_until_it_connects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "CONNECTING_S", 0.1)
    gate = ConnectGate(1)
    async with replica(HEADER) as fake, AsyncExitStack() as held:
        await held.enter_async_context(gate.turn(0))
        async with pool_with(gate, fake.address) as pool:
            await until(lambda: states(pool) == ["down"])
            assert why_down(pool) == ["waiting for a turn to connect"]
            monkeypatch.setattr(lane_module, "CONNECTING_S", WITHIN_S)
            await held.aclose()
            await until(lambda: states(pool) == ["up"])
            assert await Ask(pool, [1.0]).failure() is None


async def test_lane_that_is_closed_while_it_waits_gives_its_place_to_another() -> None:
    gate = ConnectGate(1)
    async with replica(HEADER) as fake, AsyncExitStack() as held:
        await held.enter_async_context(gate.turn(0))
        async with pool_with(gate, fake.address):
            await until(lambda: bool(gate._waiting))
        async with pool_with(gate, fake.address) as pool:
            await held.aclose()
            await until(lambda: states(pool) == ["up"])


class Channels:
    """Keeps each channel that is opened, and its options."""

    def __init__(self) -> None:
        self.opened: list[grpc.aio.Channel] = []
        self.options: list[Mapping[str, Any]] = []
        self._open = grpc.aio.insecure_channel

    def open(self, address: str, options: serving.ChannelOptions) -> grpc.aio.Channel:
        self.opened.append(self._open(address, options=options))
        self.options.append(dict(options))
        return self.opened[-1]


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Channels:
    recorded = Channels()
    monkeypatch.setattr(grpc.aio, "insecure_channel", recorded.open)
    return recorded


async def test_channel_is_closed_before_the_pause(channels: Channels) -> None:
    states_in_pauses: list[grpc.ChannelConnectivity] = []

    def pause(*_: float) -> float:
        states_in_pauses.append(channels.opened[-1].get_state())
        return 0.0

    async with replica(HEADER) as fake:
        fake.metadata = b"\xff"
        running = asyncio.create_task(lane_to(fake.address, ConnectGate(), pause).run())
        await until(lambda: len(states_in_pauses) >= 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert set(states_in_pauses) == {grpc.ChannelConnectivity.SHUTDOWN}


async def test_connection_may_take_as_long_as_the_gate_allows(channels: Channels) -> None:
    async with replica(HEADER) as fake, pool_with(ConnectGate(1), fake.address) as one:
        await until(lambda: states(one) == ["up"])
        async with pool_with(ConnectGate(64), fake.address) as another:
            await until(lambda: states(another) == ["up"])
    assert [options["grpc.min_reconnect_backoff_ms"] for options in channels.options] == [1500, 3000]


@pytest.mark.whole_machine  # real time limits
async def test_lanes_to_a_stopped_process_recover_with_few_attempts_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "LONGEST_PAUSE_S", 1.0)
    gate = RecordingGate(8)
    async with _replica_process() as (process, address), AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(pool_with(gate, address)) for _ in range(40)]
        await until(lambda: _states(pools) == {"up"})
        process.send_signal(signal.SIGSTOP)
        await until(lambda: _states(pools) == {"down"}, within_s=60.0)
        await until(lambda: min(pool.lanes[address]._pauses.failures for pool in pools) >= 2, within_s=60.0)
        process.send_signal(signal.SIGCONT)
        await until(lambda: _states(pools) == {"up"}, within_s=60.0)
        assert await Ask(pools[0], [1.0]).failure() is None
    assert gate.most_under_way == 8
    assert len(gate.failures) >= 40 * 3


def _states(pools: Sequence[ModelPool]) -> set[str]:
    return {state for pool in pools for state in states(pool)}


@asynccontextmanager
async def _replica_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A replica in a process of its own, and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REPLICA_PROCESS, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process, (await asyncio.wait_for(process.stdout.readline(), WITHIN_S)).decode().strip()
    finally:
        process.kill()
        await process.wait()
