from __future__ import annotations

import asyncio

import pytest

from mesh.first_of import first_of


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def test_first_wait_that_ends_is_returned_by_position() -> None:
    assert await first_of(never(), at_once()) == 1


async def test_no_end_within_the_time_returns_none() -> None:
    assert await first_of(never(), never(), within_s=0.001) is None


async def test_other_waits_have_ended_when_it_returns() -> None:
    ended = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await never()
        finally:
            await asyncio.sleep(0)
            ended.set()

    await first_of(slow_to_end(), asyncio.sleep(0.001))
    assert ended.is_set()


async def test_error_of_a_wait_is_raised() -> None:
    async def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await first_of(fails(), never())


async def test_cancelled_caller_leaves_no_wait_running() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await never()
        finally:
            ended.set()

    caller = asyncio.create_task(first_of(wait(), never()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
