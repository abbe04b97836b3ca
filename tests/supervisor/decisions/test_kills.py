"""SIGKILL of a supervisor, and of its writer, while callers ask: the files are readable, and the loss is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.decisions.log import open_log
from mesh.wire import offers_pb2_grpc
from tests.supervisor.backend import BIASES, HEADER, MODELS, ask, write_game
from tests.supervisor.processes import WITHIN_S, Running, supervisor
from tests.supervisor.replica import replica, sums, until
from tests.supervisor.test_process import page, put, until_whole

pytestmark = pytest.mark.whole_machine

CALLERS = 8
# An answer is handed over within a quarter of a second; the rest is for a busy machine.
HANDED_OVER_S = 2.0
ANSWERS = 400


@dataclass
class Load:
    """Callers that ask one after the other; `answers` have the id of each answer, and when it arrived."""

    running: Running
    answers: list[tuple[str, float]] = field(default_factory=list)

    async def call(self) -> None:
        with contextlib.suppress(grpc.RpcError):
            async with grpc.aio.insecure_channel(self.running.ready["address"]) as channel:
                stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
                while True:
                    answer = await stub.GetOffer(ask(), timeout=20)
                    self.answers.append((answer.decision_id, time.monotonic()))

    async def more(self, count: int = ANSWERS) -> None:
        """Waits for that many new answers."""
        wanted = len(self.answers) + count
        await until(lambda: len(self.answers) >= wanted)


@contextlib.asynccontextmanager
async def loaded(folder: Path, decisions: str) -> AsyncIterator[Load]:
    """A supervisor whose answers are logged, under load."""
    catalog, endpoints = write_game(folder, decisions=decisions), folder / "endpoints.json"
    async with contextlib.AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(HEADER, sums(bias))) for bias in BIASES]
        places = {model: [one.address] for model, one in zip(MODELS, replicas, strict=True)}
        put(endpoints, {"g": {"v1": places}})
        arguments = ("--catalog", catalog, "--endpoints", endpoints, "--log-level", "error")
        load = Load(await stack.enter_async_context(supervisor(*arguments)))
        await until_whole(load.running)
        callers = [asyncio.create_task(load.call()) for _ in range(CALLERS)]
        try:
            yield load
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


def writer_of(load: Load) -> int | None:
    """The process id of the writer."""
    parent = load.running.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next((int(pid) for pid in children if b"supervisor.decisions.writer" in proc(pid, "cmdline")), None)


def has_ended(pid: int) -> bool:
    """Whether a process has ended, also if its new parent has not noticed it yet."""
    return proc(pid, "stat").rpartition(b")")[2].split()[:1] in ([], [b"Z"])


def proc(pid: int | str, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def logged(folder: Path) -> set[str]:
    """The ids of the logged answers; reads every column of every file."""
    with open_log(str(folder / "log")) as log:
        return set(log.read(log.decisions("g"))["decision_id"].to_pylist())


async def total(load: Load, metric: str) -> float:
    """The sum of all series of a metric of the supervisor."""
    lines = (await asyncio.to_thread(page, load.running.ready["metrics"])).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric + "{"))


async def until_the_writer_has_records(load: Load) -> None:
    """Before this, the supervisor keeps what does not fit into the socket."""
    async with asyncio.timeout(WITHIN_S):
        while not await total(load, "mesh_decisions_flush_age_seconds"):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.05)


async def test_killed_supervisor_loses_only_what_it_had_not_handed_over(tmp_path: Path) -> None:
    async with loaded(tmp_path, "{to: log, flush_s: 600}") as load:
        await load.more()
        writer = writer_of(load)
        assert writer is not None
        await until_the_writer_has_records(load)
        before_s = time.monotonic()
        await until(lambda: time.monotonic() > before_s + HANDED_OVER_S)
        await load.more()
        os.kill(load.running.process.pid, signal.SIGKILL)
        killed_s = time.monotonic()
        await until(lambda: has_ended(writer))
    rows = logged(tmp_path)
    safe = {name for name, answered_s in load.answers if answered_s < killed_s - HANDED_OVER_S}
    assert len(safe) >= ANSWERS
    assert safe - rows == set()
    assert len({name for name, _ in load.answers} - rows) < len(load.answers) / 2


async def test_killed_writer_is_replaced_and_what_it_held_is_counted(tmp_path: Path) -> None:
    async with loaded(tmp_path, "{to: log, flush_s: 1}") as load:
        await load.more()
        writer = writer_of(load)
        assert writer is not None
        os.kill(writer, signal.SIGKILL)
        await load.more()
        await until(lambda: writer_of(load) not in (None, writer))
        await load.more()
        load.answers, counted = list(load.answers), await total(load, "mesh_decisions_dropped_total")
        assert await load.running.stop() == (0, "")
    missing = {name for name, _ in load.answers} - logged(tmp_path)
    assert len(missing) <= counted
    assert len(missing) < len(load.answers)
