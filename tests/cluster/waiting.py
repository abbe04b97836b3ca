"""Waiting for what a cluster will come to: asked again and again, until a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S = 0.25
Fact = TypeVar("Fact")


def until(fact: Callable[[], Fact], within_s: float, what: str) -> Fact:
    """The first answer of `fact` that is true; fails with the last one after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while not (answer := fact()):
        assert time.monotonic() < deadline_s, f"{what}: not within {within_s:g} s; at last {answer!r}"
        time.sleep(PAUSE_S)
    return answer


async def until_true(fact: Callable[[], Fact], within_s: float, what: str) -> Fact:
    """The same, while the loop goes on: `fact` is asked on a thread."""
    return await asyncio.to_thread(until, fact, within_s, what)
