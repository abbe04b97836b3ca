"""The time of each step of a known caller's request, on a real connection."""

from __future__ import annotations

import asyncio
from unittest import mock

from loadtest.micro.timing import best_us
from supervisor.callers.gate import CalledGame, CallerGate, Rpc
from supervisor.callers.metrics import Result
from supervisor.callers.peer import Call
from supervisor.callers.recognition import Admission

_WITHIN_S = 10.0


async def parts_of(gate: CallerGate, game: CalledGame) -> dict[str, float]:
    """Returns us for each step, from the next call that `gate` admits; `game` has callers."""
    found: asyncio.Future[dict[str, float]] = asyncio.get_running_loop().create_future()
    admit = gate.admit

    def measured(call: Call, rpc: Rpc) -> Admission | None:
        admission = admit(call, rpc)
        if not found.done():
            caller = gate.enter(game, admission, rpc)
            assert caller is not None
            steps = {
                "recognised": lambda: admit(call, rpc),
                "rights and quota": lambda: gate.enter(game, admission, "StreamOffers"),
                "counted": lambda: caller.counts.count(Result.FALLBACK),
            }
            found.set_result({step: best_us(work) for step, work in steps.items()})
        return admission

    with mock.patch.object(gate, "admit", measured):
        return await asyncio.wait_for(found, _WITHIN_S)
