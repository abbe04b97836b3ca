"""Real supervisors for one mesh of real workers, which a scenario kills, freezes and replaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from loadtest.clients.scenarios import Event
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.peers import mesh
from loadtest.workloads import Forests, TrainedEnsemble
from mesh.process import Launch, Process, running

ENSEMBLE = TrainedEnsemble(
    "clients",
    "5 small trained models, 20 offers",
    Forests("small-offers", count=5, trees=50, leaves=15, features=20),
    models=5,
    offers=20,
    offer_features=5,
    quorum=3,
    players=1000,
    budget_ms=300,
)
READY_BUDGET_S = 60.0


class RealSupervisor:
    """One supervisor, started and ended as the events say; its port stays the same."""

    def __init__(self, name: str, folder: Path, endpoints: Path, logs: Path) -> None:
        self.address = "127.0.0.1:0"
        self.metrics = ""
        self._name = name
        self._folder = folder
        self._endpoints = endpoints
        self._log = logs / f"{name}.log"
        self._stack = contextlib.AsyncExitStack()
        self._process: Process | None = None

    async def start(self) -> None:
        """Starts the supervisor, and returns when it is ready."""
        port = self.address.rpartition(":")[2]
        command = [sys.executable, "-m", "supervisor", "--catalog", "mesh.yaml", "--endpoints", str(self._endpoints)]
        command += ["--port", port, "--listen-within-s", "30", "--follow-parent", "--metrics-port", "0"]
        self._process = await self._stack.enter_async_context(
            running(Launch(self._name, command, self._folder, self._log))
        )
        ready = await self._process.event("ready", READY_BUDGET_S)
        self.address, self.metrics = ready["address"], ready["metrics"]

    async def stop(self) -> None:
        """Ends the supervisor with SIGTERM, and returns when it has ended."""
        await self._stack.aclose()

    async def kill(self) -> None:
        """Ends the supervisor with SIGKILL."""
        self.signal(signal.SIGKILL)
        await self._stack.aclose()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor."""
        assert self._process is not None
        os.kill(self._process.pid, number)


@contextlib.asynccontextmanager
async def running_supervisors(plan: Plan, count: int) -> AsyncIterator[Sequence[RealSupervisor]]:
    """Trains the missing models, and runs workers and `count` supervisors."""
    folder = await prepared_folder(ENSEMBLE, plan)
    async with mesh.up(folder, plan.logs) as ready, contextlib.AsyncExitStack() as stack:
        await mesh.first_full_answer(ready["address"], ENSEMBLE)
        endpoints = Path(ready["logs"]) / "endpoints.json"
        supervisors = [RealSupervisor(f"supervisor-{number}", folder, endpoints, plan.logs) for number in range(count)]
        for one in supervisors:
            await one.start()
            stack.push_async_callback(one.stop)
            await mesh.first_full_answer(one.address, ENSEMBLE)
        yield supervisors


async def play(events: Sequence[Event], supervisors: Sequence[RealSupervisor]) -> None:
    """Does what `events` say, each at its time from now."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for event in events:
        await asyncio.sleep(max(0.0, began_s + event.at_s - loop.time()))
        if event.kill is not None:
            await supervisors[event.kill].kill()
        if event.stop is not None:
            await supervisors[event.stop].stop()
        if event.start is not None:
            await supervisors[event.start].start()
        if event.freeze is not None:
            supervisors[event.freeze].signal(signal.SIGSTOP)
        if event.thaw is not None:
            supervisors[event.thaw].signal(signal.SIGCONT)
