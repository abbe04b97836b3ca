"""The monolith as a peer: Flask under gunicorn; every process holds all models and runs them one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from loadtest.errors import CannotMeasure
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble
from mesh.process import Launch, Process, running

READY_BUDGET_S = 60.0
REQUEST_S = 1.0  # the socket accepts connections before a process does: one request must not use the whole budget

name = "monolith"


@contextlib.asynccontextmanager
async def trained(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:  # noqa: ARG001
    """One process per core."""
    async with _serving(folder, logs, os.cpu_count() or 1, {}) as system:
        yield system


@contextlib.asynccontextmanager
async def simulated(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[System]:  # noqa: ARG001
    """As many processes as the mesh has replicas, so that as many rows run at once; each draws its own times."""
    times = {"MONOLITH_MEDIAN_S": f"{ensemble.service.median_s}", "MONOLITH_SIGMA": f"{ensemble.service.sigma}"}
    async with _serving(folder, logs, ensemble.models * ensemble.replicas, times) as system:
        yield system


@contextlib.asynccontextmanager
async def _serving(folder: Path, logs: Path, processes: int, environment: Mapping[str, str]) -> AsyncIterator[System]:
    """Runs sync workers, which close the connection after each answer.

    gthread workers with one thread, which keep the connection open, were not faster.
    """
    started_s = time.monotonic()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with running(_gunicorn(folder, logs, processes, listener.fileno(), environment)) as program:
            pids = await _all_processes(program, address, processes)
            yield System("http", address, {"processes": pids}, time.monotonic() - started_s)


def _gunicorn(folder: Path, logs: Path, processes: int, listener: int, environment: Mapping[str, str]) -> Launch:
    options = ["--workers", str(processes), "--worker-class", "sync", "--bind", f"fd://{listener}"]
    options += ["--no-control-socket", "--log-level", "warning"]
    return Launch(
        name=name,
        command=[sys.executable, "-m", "gunicorn", *options, "loadtest.peers.monolith_app:create_app()"],
        folder=folder,
        log=logs / "monolith.log",
        environment={"MONOLITH_FOLDER": str(folder), "OMP_NUM_THREADS": "1", **environment},
        inherited_fds=(listener,),
    )


async def _all_processes(program: Process, address: str, processes: int) -> tuple[int, ...]:
    """Waits until each process has answered, and returns the process ids."""
    seen: set[int] = set()
    try:
        async with asyncio.timeout(READY_BUDGET_S):
            while len(seen) < processes:
                program.must_run()
                with contextlib.suppress(OSError):
                    seen.add(await asyncio.to_thread(_answering_process, address))
    except TimeoutError:
        reason = f"only {len(seen)} of {processes} monolith processes answer after {READY_BUDGET_S:g} s"
        raise CannotMeasure(f"{reason}; see {program.launch.log}") from None
    return tuple(sorted(seen))


def _answering_process(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/process", timeout=REQUEST_S) as response:
        return int(json.load(response)["pid"])
