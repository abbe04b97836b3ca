"""Open loop: each request leaves when it is due, without waiting for answers; its latency counts from that time."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from loadtest.errors import CannotMeasure, ungrouped
from loadtest.generators.callers import Caller
from loadtest.generators.tally import Tally, Window
from loadtest.simulated.service_times import Seconds

MAX_UNANSWERED = 10_000


async def ask_on_schedule(caller: Caller, players: int, due_s: Seconds, window: Window, seed: int) -> Tally:
    """Sends one request at each time of `due_s` (monotonic, ascending); counts the requests that are due in `window`.

    Raises CannotMeasure when 10,000 requests wait for answers: the rate is too high for the system.
    """
    tally = Tally()
    drawn = np.random.default_rng(seed).integers(players, size=len(due_s))
    unanswered: set[asyncio.Task[None]] = set()
    with ungrouped():
        async with asyncio.TaskGroup() as group:
            for time_s, player in zip(due_s.tolist(), drawn.tolist(), strict=True):
                await _until(time_s)
                if len(unanswered) >= MAX_UNANSWERED:
                    raise CannotMeasure(f"{MAX_UNANSWERED} requests wait for answers: the rate is too high")
                call = group.create_task(_ask(caller, player, time_s, window, tally))
                unanswered.add(call)
                call.add_done_callback(unanswered.discard)
    return tally


async def _ask(caller: Caller, player: int, due_s: float, window: Window, tally: Tally) -> None:
    slip_s = time.monotonic() - due_s
    source = await caller.ask(player)
    if window.holds(due_s):
        tally.add(time.monotonic() - due_s, source)
        tally.slips_ms.append(round(slip_s * 1000, 3))


async def _until(time_s: float) -> None:
    delay_s = time_s - time.monotonic()
    if delay_s > 0:
        await asyncio.sleep(delay_s)
