"""Turns of streams: however many streams a caller has, another caller does not wait for them all."""

from __future__ import annotations

import asyncio

from supervisor.stream_turns import READ_IN_A_TURN, StreamTurns


async def test_few_requests_are_read_at_once() -> None:
    turns, has_waited = StreamTurns(), list[bool]()
    asyncio.get_running_loop().call_soon(has_waited.append, True)
    for _ in range(READ_IN_A_TURN):
        await turns.next("a")
    assert not has_waited


async def test_streams_of_another_caller_do_not_wait_for_all_streams_of_a_flood() -> None:
    turns, order = StreamTurns(), list[str]()

    async def read(caller: str) -> None:
        await turns.next(caller)
        order.append(caller)

    flood = [asyncio.create_task(read("flood")) for _ in range(1000)]
    await asyncio.sleep(0)
    await asyncio.gather(*(read("polite") for _ in range(3)), *flood)
    assert order.index("polite") <= 3 * READ_IN_A_TURN
    assert order[: 4 * READ_IN_A_TURN].count("polite") == 3


async def test_each_turn_of_the_loop_reads_a_bounded_number_of_requests() -> None:
    turns, read = StreamTurns(), list[int]()

    async def reader() -> None:
        await turns.next("a")
        read.append(1)

    readers = [asyncio.create_task(reader()) for _ in range(100)]
    most, before = 0, 0
    while len(read) < 100:
        await asyncio.sleep(0)
        most, before = max(most, len(read) - before), len(read)
    await asyncio.gather(*readers)
    assert most <= READ_IN_A_TURN


async def test_stream_that_ends_while_it_waits_gives_its_turn_to_the_next() -> None:
    turns = StreamTurns()
    readers = [asyncio.create_task(turns.next("a")) for _ in range(3 * READ_IN_A_TURN)]
    await asyncio.sleep(0)
    for one in readers[READ_IN_A_TURN : 2 * READ_IN_A_TURN]:
        one.cancel()
    await asyncio.wait_for(asyncio.gather(*readers, return_exceptions=True), 5)
    assert [one.cancelled() for one in readers].count(True) == READ_IN_A_TURN
    await asyncio.wait_for(turns.next("b"), 5)
