"""Waits for the first of several events."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*waits: Coroutine[Any, Any, object], within_s: float | None = None) -> int | None:
    """Runs `waits` and returns the position of the first that ends, or None if none ends within `within_s`.

    Cancels and awaits the others, also when the caller is cancelled. If a wait ends with an error, raises this error.
    """
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        ended = [task.done() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
    return ended.index(True) if True in ended else None
