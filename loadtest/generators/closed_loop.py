"""Closed loop: each caller waits for its answer before it asks again, so the system sets the rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.generators.callers import Caller
from loadtest.generators.tally import Tally, Window

LAST_ANSWER_BUDGET_S = 30.0


async def ask_by_turns(caller: Caller, callers: int, players: int, window: Window, seed: int) -> Tally:
    """Runs `callers` concurrent loops over `caller` until `window` ends; players are drawn uniformly.

    Counts the answers that arrive within the window. Raises CannotMeasure when a call has not ended 30 s after it.
    """
    tally = Tally()
    try:
        async with asyncio.timeout_at(window.end_s + LAST_ANSWER_BUDGET_S), asyncio.TaskGroup() as group:
            for number in range(callers):
                rng = np.random.default_rng((seed, number))
                group.create_task(_ask_repeatedly(caller, _players(rng, players), window, tally))
    except TimeoutError:
        raise CannotMeasure(f"a call has no answer {LAST_ANSWER_BUDGET_S:g} s after the measured time") from None
    return tally


async def _ask_repeatedly(caller: Caller, players: Sequence[int], window: Window, tally: Tally) -> None:
    number = 0
    while (sent_s := time.monotonic()) < window.end_s:  # the time of uvloop is in whole milliseconds
        source = await caller.ask(players[number % len(players)])
        answered_s = time.monotonic()
        number += 1
        if window.holds(answered_s):
            tally.add(answered_s - sent_s, source)


def _players(rng: np.random.Generator, players: int) -> list[int]:
    return [int(player) for player in rng.integers(players, size=10_000)]
