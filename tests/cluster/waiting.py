"""Polls a condition of the cluster until it holds or a deadline passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S = 0.25
Fact = TypeVar("Fact")


def until(fact: Callable[[], Fact], within_s: float, what: str) -> Fact:
    """The first true result of `fact`; fails with the last result after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while not (answer := fact()):
        assert time.monotonic() < deadline_s, f"{what}: not within {within_s:g} s; last result: {answer!r}"
        time.sleep(PAUSE_S)
    return answer


async def until_true(fact: Callable[[], Fact], within_s: float, what: str) -> Fact:
    """`until` in a thread, so that the event loop is not blocked."""
    return await asyncio.to_thread(until, fact, within_s, what)
