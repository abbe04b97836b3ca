"""Closed loop: each caller asks, waits for the answer and asks again, so the mesh sets the pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from loadtest.faults import CannotMeasure
from loadtest.generators.callers import Caller
from loadtest.generators.tally import Tally, Window

LAST_ANSWER_BUDGET_S = 30.0


async def ask_by_turns(caller: Caller, callers: int, players: int, window: Window, seed: int) -> Tally:
    """So many `callers`, all through `caller`, ask for uniformly drawn players until `window` ends.

    An answer counts when it comes within.

    Raises CannotMeasure when a call has not ended 30 s after the window.
    """
    tally = Tally()
    try:
        async with asyncio.timeout_at(window.end_s + LAST_ANSWER_BUDGET_S), asyncio.TaskGroup() as group:
            for number in range(callers):
                rng = np.random.default_rng((seed, number))
                group.create_task(_ask_again_and_again(caller, _players(rng, players), window, tally))
    except TimeoutError:
        raise CannotMeasure(f"a call was not answered within {LAST_ANSWER_BUDGET_S:g} s") from None
    return tally


async def _ask_again_and_again(caller: Caller, players: Sequence[int], window: Window, tally: Tally) -> None:
    number = 0
    while (sent_s := time.monotonic()) < window.end_s:  # uvloop's own time is in whole milliseconds
        source = await caller.ask(players[number % len(players)])
        answered_s = time.monotonic()
        number += 1
        if window.holds(answered_s):
            tally.add(answered_s - sent_s, source)


def _players(rng: np.random.Generator, players: int) -> list[int]:
    return [int(player) for player in rng.integers(players, size=10_000)]
