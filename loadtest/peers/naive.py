"""The naive mesh as a peer: the same workers, and a supervisor that makes one unary call per model and request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from loadtest.peers.inputs import Inputs
from loadtest.peers.mesh import READY_BUDGET_S, first_full_answer, simulated_replicas
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, Workload
from mesh.process import Launch, Process, running

WORKER_NICENESS = 19  # the niceness under `mesh up`

name = "naive"


@contextlib.asynccontextmanager
async def trained(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:
    """The workers that `mesh up` starts, also on Unix sockets."""
    started_s = time.monotonic()
    inputs = Inputs(folder)
    with tempfile.TemporaryDirectory(prefix="naive-") as sockets:
        models = zip(inputs.model_names, inputs.model_files, strict=True)
        launches = [_worker(model, file, Path(sockets), folder, logs) for model, file in models]
        async with contextlib.AsyncExitStack() as stack:
            workers = await asyncio.gather(*(stack.enter_async_context(running(launch)) for launch in launches))
            await asyncio.gather(*(worker.event("ready", READY_BUDGET_S) for worker in workers))
            addresses = {model: [f"unix:{sockets}/{model}.sock"] for model in inputs.model_names}
            server = await _serving(stack, addresses, folder, logs)
            parts = {"supervisor": (server.pid,), "workers": tuple(worker.pid for worker in workers)}
            yield await _system(server, parts, ensemble, started_s)


@contextlib.asynccontextmanager
async def simulated(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[System]:
    """The simulated replicas of the mesh; each call goes to the replica with the fewest unanswered calls."""
    async with simulated_replicas(ensemble, folder, logs, seed) as pid, contextlib.AsyncExitStack() as stack:
        started_s = time.monotonic()
        (versions,) = json.loads((folder / "endpoints.json").read_text()).values()
        (addresses,) = versions.values()
        server = await _serving(stack, addresses, folder, logs)
        yield await _system(server, {"supervisor": (server.pid,), "workers": (pid,)}, ensemble, started_s)


async def _serving(
    stack: contextlib.AsyncExitStack, addresses: dict[str, list[str]], folder: Path, logs: Path
) -> Process:
    command = [sys.executable, "-m", "loadtest.peers.naive_server", "--folder", str(folder)]
    command += ["--addresses", json.dumps(addresses)]
    return await stack.enter_async_context(running(Launch(name, command, folder, logs / "naive.log")))


async def _system(server: Process, parts: dict[str, tuple[int, ...]], workload: Workload, started_s: float) -> System:
    address = (await server.event("ready", READY_BUDGET_S))["address"]
    await first_full_answer(address, workload)
    return System("grpc", address, parts, time.monotonic() - started_s)


def _worker(model: str, file: Path, sockets: Path, folder: Path, logs: Path) -> Launch:
    command = [sys.executable, "-m", "model_worker", "--name", model, "--uri", str(file)]
    command += ["--socket", str(sockets / f"{model}.sock"), "--nice", str(WORKER_NICENESS), "--follow-parent"]
    return Launch(f"worker {model}", command, folder, logs / f"naive-{model}.log")
