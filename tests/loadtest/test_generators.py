from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import grpc
import numpy as np
import pytest

from loadtest.generators.callers import Target
from loadtest.generators.closed_loop import ask_by_turns
from loadtest.generators.open_loop import ask_on_schedule
from loadtest.generators.process import Load, Options, generate, no_meter
from loadtest.generators.tally import Window
from mesh.wire import offers_pb2, offers_pb2_grpc

pytestmark = pytest.mark.whole_machine  # real time limits

FOREVER = Window(float("-inf"), float("inf"))


class Gate:
    """Answers all requests when `awaited` requests have arrived."""

    def __init__(self, awaited: int) -> None:
        self.asked = 0
        self._awaited = awaited
        self._open = asyncio.Event()

    async def ask(self, player: int) -> str:
        assert 0 <= player < 10
        self.asked += 1
        if self.asked >= self._awaited:
            self._open.set()
        await self._open.wait()
        return "ENSEMBLE"


class TwoAtATime:
    """Fails if more than two requests wait for answers."""

    def __init__(self) -> None:
        self._waiting = 0

    async def ask(self, player: int) -> str:
        self._waiting += 1
        assert self._waiting <= 2
        await asyncio.sleep(0)
        self._waiting -= 1
        return "ENSEMBLE" if player else "PARTIAL"


class Offers(offers_pb2_grpc.OffersServicer):
    """Answers every tenth player with a fallback."""

    async def Score(self, request: offers_pb2.ScoreRequest, _: object) -> offers_pb2.ScoreResponse:
        is_tenth = request.player_id.endswith("0")
        return offers_pb2.ScoreResponse(source=offers_pb2.FALLBACK if is_tenth else offers_pb2.ENSEMBLE)


@pytest.fixture
async def mesh() -> AsyncIterator[str]:
    server = grpc.aio.server()
    offers_pb2_grpc.add_OffersServicer_to_server(Offers(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_open_loop_does_not_wait_for_answers() -> None:
    gate = Gate(awaited=50)
    due_s = np.full(50, time.monotonic())
    tally = await ask_on_schedule(gate, 10, due_s, FOREVER, seed=1)
    assert tally.sources == {"ENSEMBLE": 50}


async def test_latency_counts_from_the_schedule_and_not_from_the_send() -> None:
    due_s = np.array([time.monotonic() - 5.0])
    tally = await ask_on_schedule(Gate(awaited=1), 10, due_s, FOREVER, seed=1)
    assert tally.latencies_ms[0] >= tally.slips_ms[0] >= 5000.0


async def test_request_due_before_the_window_does_not_count() -> None:
    now_s = time.monotonic()
    due_s = np.array([now_s - 2.0, now_s - 1.0, now_s])
    tally = await ask_on_schedule(Gate(awaited=1), 10, due_s, Window(now_s - 1.0, now_s + 60.0), seed=1)
    assert tally.sources == {"ENSEMBLE": 2}


async def test_closed_loop_caller_waits_for_its_answer() -> None:
    now_s = time.monotonic()
    window = Window(now_s, now_s + 0.05)
    tally = await ask_by_turns(TwoAtATime(), 2, 10, window, seed=1)
    assert set(tally.sources) == {"ENSEMBLE", "PARTIAL"}
    assert len(tally.latencies_ms) == tally.sources.total()


@pytest.mark.parametrize("loop", ["closed", "open"])
async def test_generator_process_reports_answers_that_are_not_full(
    loop: Literal["closed", "open"], mesh: str, tmp_path: Path
) -> None:
    options: Options = {"rate_rps": 200.0, "seed": 3}
    target = Target("grpc", mesh, "Score", "w15", 20)
    result = await generate(Load(loop, 0.1, 0.5, target, options), no_meter, tmp_path)
    assert set(result.degraded) == {"FALLBACK"}
    assert 0 < result.degraded["FALLBACK"] < result.answers
    assert result.level.rps == result.answers / 0.5
