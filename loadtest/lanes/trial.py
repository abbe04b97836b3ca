"""One trial: lanes to one worker, which is stopped with SIGSTOP and continued later."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from loadtest.errors import CannotMeasure
from loadtest.fleet.games import FORESTS, model_file
from loadtest.lanes.holder import MODEL
from loadtest.measurement.meters import cpu_s, pss_mb
from loadtest.workload_files import train
from mesh.process import Launch, Process, running

READY_BUDGET_S = 60.0
RECOVERY_BUDGET_S = 120.0
SETTLE_S = 3.0
SAMPLE_S = 1.0
MAX_GROWTH_MB = 1024.0
OTHER_FILES = 200  # open files of a process besides the connections
_PYTHON = (sys.executable, "-P", "-m")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Stall:
    """The figures of a trial. `growth_mb` is the highest memory (PSS) from the stall on, above that before it."""

    before_mb: float
    growth_mb: float
    cpu_share: float  # of one core, while the worker is stopped
    recovery_s: float  # from the continuation of the worker until all lanes are up


async def stall(lanes: int, seconds: float, folder: Path, progress: Callable[[str], None]) -> Stall:
    """Stops the worker behind `lanes` lanes for `seconds`.

    Raises CannotMeasure or ProcessFailed, also if the lanes do not come up or need too much memory.
    """
    _allow_files(lanes + OTHER_FILES)
    train(FORESTS, folder / FORESTS.name, progress)
    async with _worker(folder) as (worker, address), _holder(folder, address, lanes) as holder:
        progress(f"connecting {lanes} lanes")
        await holder.event("all_up", READY_BUDGET_S)
        await asyncio.sleep(SETTLE_S)
        memory = _Memory(holder.pid)
        watching = asyncio.create_task(memory.watch())
        progress(f"stopping the worker for {seconds:g} s")
        try:
            cpu_share = await _beside(watching, _stop_for(worker, holder, seconds))
            recovery_s = await _beside(watching, _recover(holder))
            progress(f"all lanes are up again after {recovery_s:.1f} s")
            await _beside(watching, asyncio.sleep(SETTLE_S))
        finally:
            watching.cancel()
    return Stall(memory.before_mb, memory.growth_mb, cpu_share, recovery_s)


class _Memory:
    """The memory of a process, compared with that at the start."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before_mb = pss_mb(pid)
        self.growth_mb = 0.0

    async def watch(self) -> None:
        """Samples the memory; raises CannotMeasure if it grows by more than `MAX_GROWTH_MB`."""
        while self.growth_mb < MAX_GROWTH_MB:
            await asyncio.sleep(SAMPLE_S)
            self.growth_mb = max(self.growth_mb, pss_mb(self._pid) - self.before_mb)
        raise CannotMeasure(f"the process with the lanes grew by more than {MAX_GROWTH_MB:g} MB, so it was ended")


async def _beside(watching: asyncio.Task[None], work: Coroutine[Any, Any, _Result]) -> _Result:
    """Returns the result of `work`; cancels `work` and raises the error of `watching` if that ends first."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        return working.result()
    finally:
        working.cancel()
        await asyncio.wait((working,))


async def _stop_for(worker: Process, holder: Process, seconds: float) -> float:
    """Stops `worker` for `seconds`; returns the CPU of `holder` as a share of one core."""
    began_s, before_s = time.monotonic(), cpu_s([holder.pid])
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
        return (cpu_s([holder.pid]) - before_s) / (time.monotonic() - began_s)
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGCONT)


async def _recover(holder: Process) -> float:
    """The seconds until all lanes are up."""
    began_s = time.monotonic()
    await holder.event("all_down", READY_BUDGET_S)  # it is in the pipe since the stall
    await holder.event("all_up", RECOVERY_BUDGET_S)
    return time.monotonic() - began_s


@asynccontextmanager
async def _worker(folder: Path) -> AsyncIterator[tuple[Process, str]]:
    """A worker and its address."""
    words = ["--name", MODEL, "--uri", str(model_file(folder)), "--follow-parent"]
    log = folder / "logs/worker.log"
    async with running(Launch("worker", [*_PYTHON, "model_worker", *words], Path.cwd(), log)) as worker:
        ready = await worker.event("ready", READY_BUDGET_S)
        yield worker, f"127.0.0.1:{ready['port']}"


@asynccontextmanager
async def _holder(folder: Path, address: str, lanes: int) -> AsyncIterator[Process]:
    words = ["--address", address, "--lanes", str(lanes)]
    log = folder / "logs/holder.log"
    async with running(Launch("holder", [*_PYTHON, "loadtest.lanes.holder", *words], Path.cwd(), log)) as holder:
        yield holder


def _allow_files(count: int) -> None:
    """Raises the limit of open files, which child processes inherit; raises CannotMeasure if it stays too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise CannotMeasure(
            f"a process may open {hard} files, but {count} are needed; raise `ulimit -n`, or use fewer lanes"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
