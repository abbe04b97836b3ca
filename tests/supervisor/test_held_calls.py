"""Calls that are held for a time, and then released a few at a time."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from supervisor.held_calls import HOLD_S, RELEASED_AT_ONCE, HeldCalls
from tests.supervisor.virtual_time import in_virtual_time


@in_virtual_time
async def test_call_is_released_after_its_time() -> None:
    held: Any = HeldCalls(asyncio.get_running_loop())
    held.add(object())
    await asyncio.sleep(HOLD_S / 2)
    held.add(object())
    assert len(held) == 2
    await asyncio.sleep(HOLD_S * 0.6)
    assert len(held) == 1
    await asyncio.sleep(HOLD_S)
    assert len(held) == 0


@in_virtual_time
async def test_calls_of_a_burst_are_released_a_few_at_a_time() -> None:
    held: Any = HeldCalls(asyncio.get_running_loop())
    for _ in range(10 * RELEASED_AT_ONCE):
        held.add(object())
    counts = [len(held)]
    while counts[-1]:
        await asyncio.sleep(0.001)
        counts.append(len(held))
    assert max(before - after for before, after in itertools.pairwise(counts)) == RELEASED_AT_ONCE


@in_virtual_time
async def test_oldest_call_above_the_limit_is_released() -> None:
    held: Any = HeldCalls(asyncio.get_running_loop(), most=3)
    for number in range(5):
        held.add(number)
    assert [call for _, call in held._calls] == [2, 3, 4]


@in_virtual_time
async def test_closed_holds_no_call() -> None:
    held: Any = HeldCalls(asyncio.get_running_loop())
    held.add(object())
    held.close()
    held.add(object())
    assert len(held) == 0
