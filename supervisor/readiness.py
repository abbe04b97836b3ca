"""When a supervisor is ready: once it can answer whole, so that a fresh one does not answer from the fallback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from supervisor.pool import ModelPool

_log = logging.getLogger("supervisor")


async def stopped_before_ready(pools: Sequence[ModelPool], within_s: float, stop: asyncio.Event) -> bool:
    """Returns as soon as every one of `pools` has had a lane up, at the latest after `within_s`, or when `stop` is set.

    True only when it was `stop`.
    """
    if within_s <= 0:
        return stop.is_set()
    stopping = asyncio.ensure_future(stop.wait())
    rising = asyncio.ensure_future(_all_up(pools))
    try:
        await asyncio.wait((stopping, rising), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set() and not rising.done():
            absent = [pool.model.name for pool in pools if not pool.was_up.is_set()]
            _log.warning("no replica of %s is up after %g s; ready all the same", ", ".join(absent), within_s)
        return stop.is_set()
    finally:
        stopping.cancel()
        rising.cancel()
        await asyncio.wait((stopping, rising))


async def _all_up(pools: Sequence[ModelPool]) -> None:
    for pool in pools:
        await pool.was_up.wait()
