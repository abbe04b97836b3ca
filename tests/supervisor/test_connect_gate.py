"""The gate bounds the attempts under way, and gives turns in the order of failures and arrival."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from supervisor.connect_gate import LONG_S, SHORT_S, ConnectGate
from tests.supervisor.virtual_time import in_virtual_time, settle


class Attempts:
    """Attempts at one gate; the test ends each by its name."""

    def __init__(self, turns: int) -> None:
        self.gate = ConnectGate(turns)
        self.under_way: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def start(self, *names: str, failures: int = 0) -> None:
        for name in names:
            self._tasks[name] = asyncio.create_task(self._attempt(name, failures))
            await settle()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await settle()

    def cancel(self, name: str) -> None:
        self._tasks[name].cancel()

    async def _attempt(self, name: str, failures: int) -> None:
        end = self._ends[name] = asyncio.Event()
        async with self.gate.turn(failures):
            self.under_way.append(name)
            try:
                await end.wait()
            finally:
                self.under_way.remove(name)


@in_virtual_time
async def test_no_more_attempts_than_turns_are_under_way() -> None:
    attempts = Attempts(2)
    await attempts.start("a", "b", "c", "d")
    assert attempts.under_way == ["a", "b"]
    await attempts.end("a")
    assert attempts.under_way == ["b", "c"]


@in_virtual_time
async def test_turns_go_to_the_attempt_that_waits_longest() -> None:
    attempts = Attempts(1)
    await attempts.start("a", "b", "c", "d")
    for this, following in (("a", ["b"]), ("b", ["c"]), ("c", ["d"]), ("d", [])):
        await attempts.end(this)
        assert attempts.under_way == following


@in_virtual_time
async def test_attempt_with_fewer_failures_goes_first() -> None:
    attempts = Attempts(1)
    await attempts.start("holder")
    await attempts.start("down for long", failures=9)
    await attempts.start("lost", failures=1)
    await attempts.start("new")
    for this, following in (("holder", "new"), ("new", "lost"), ("lost", "down for long")):
        await attempts.end(this)
        assert attempts.under_way == [following]


@in_virtual_time
async def test_every_one_of_many_failing_lanes_gets_as_many_turns_as_the_others() -> None:
    gate, done = ConnectGate(3), dict.fromkeys(range(50), 0)

    async def lane(number: int) -> None:
        while True:
            async with gate.turn(done[number]):
                await asyncio.sleep(1.5)
            done[number] += 1
            await asyncio.sleep(0.1)

    lanes = [asyncio.create_task(lane(number)) for number in done]
    await asyncio.sleep(300.0)
    assert max(done.values()) - min(done.values()) <= 1
    assert sum(done.values()) >= 3 * 300 / 1.5 - 3
    for one in lanes:
        one.cancel()
    await asyncio.gather(*lanes, return_exceptions=True)


@in_virtual_time
async def test_attempts_are_short_while_more_than_half_of_the_turns_are_taken() -> None:
    gate, limits_s = ConnectGate(4), []
    async with AsyncExitStack() as stack:
        for _ in range(4):
            limits_s.append(await stack.enter_async_context(gate.turn(0)))
    assert limits_s == [LONG_S, LONG_S, SHORT_S, SHORT_S]


@in_virtual_time
async def test_cancelled_waiter_leaves_its_turn_to_the_next() -> None:
    attempts = Attempts(1)
    await attempts.start("a", "b", "c")
    attempts.cancel("b")
    await settle()
    assert attempts.under_way == ["a"]
    await attempts.end("a")
    assert attempts.under_way == ["c"]


@in_virtual_time
async def test_waiter_that_is_cancelled_as_its_turn_comes_passes_the_turn_on() -> None:
    attempts = Attempts(1)
    await attempts.start("a", "b", "c")
    attempts.cancel("a")  # its turn goes to b in the next round of the loop, and b is cancelled before it runs
    await asyncio.sleep(0)
    attempts.cancel("b")
    await settle()
    assert attempts.under_way == ["c"]


@in_virtual_time
async def test_turns_of_cancelled_and_of_failed_attempts_are_free_again() -> None:
    attempts = Attempts(1)
    await attempts.start("a")
    attempts.cancel("a")
    await settle()
    with pytest.raises(ValueError, match="refused"):
        async with attempts.gate.turn(0):
            raise ValueError("refused")
    await attempts.start("b")
    assert attempts.under_way == ["b"]
