"""When a supervisor is ready: once it can answer whole, so that a fresh one does not answer from the fallback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from mesh.first_of import first_of
from supervisor.pool import ModelPool

_log = logging.getLogger("supervisor")


async def stopped_before_ready(pools: Sequence[ModelPool], within_s: float, stop: asyncio.Event) -> bool:
    """Returns as soon as every one of `pools` has had a lane up, at the latest after `within_s`, or when `stop` is set.

    True only when it was `stop`.
    """
    if within_s <= 0:
        return stop.is_set()
    if await first_of(stop.wait(), _all_up(pools), within_s=within_s) is None:
        absent = [pool.model.name for pool in pools if not pool.was_up.is_set()]
        _log.warning("no replica of %s is up after %g s; ready all the same", ", ".join(absent), within_s)
    return stop.is_set()


async def _all_up(pools: Sequence[ModelPool]) -> None:
    for pool in pools:
        await pool.was_up.wait()
