"""The monolith of old: Flask under gunicorn, every process with all models, one after the other."""

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

from loadtest.faults import CannotMeasure
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble
from mesh.process import Launch, Process, running

READY_BUDGET_S = 60.0
LOOK_S = 1.0  # the socket accepts before any process does, so one look must not take all the time

name = "monolith"


@contextlib.asynccontextmanager
async def trained(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:  # noqa: ARG001
    """One process a core."""
    async with _serving(folder, logs, os.cpu_count() or 1, {}) as system:
        yield system


@contextlib.asynccontextmanager
async def simulated(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[System]:  # noqa: ARG001
    """As many processes as the mesh has replicas: the same number of rows can be under way. They draw by themselves."""
    times = {"MONOLITH_MEDIAN_S": f"{ensemble.service.median_s}", "MONOLITH_SIGMA": f"{ensemble.service.sigma}"}
    async with _serving(folder, logs, ensemble.models * ensemble.replicas, times) as system:
        yield system


@contextlib.asynccontextmanager
async def _serving(folder: Path, logs: Path, processes: int, environment: Mapping[str, str]) -> AsyncIterator[System]:
    """gunicorn's sync workers close the connection after each answer; gthread workers of one thread, which keep it
    open, were no faster.
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
    """The ids of the monolith's processes once each has answered."""
    seen: set[int] = set()
    try:
        async with asyncio.timeout(READY_BUDGET_S):
            while len(seen) < processes:
                program.must_run()
                with contextlib.suppress(OSError):
                    seen.add(await asyncio.to_thread(_answering_process, address))
    except TimeoutError:
        reason = f"only {len(seen)} of {processes} monolith processes answer after {READY_BUDGET_S:g} s"
        raise CannotMeasure(f"{reason}, see {program.launch.log}") from None
    return tuple(sorted(seen))


def _answering_process(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/process", timeout=LOOK_S) as response:
        return int(json.load(response)["pid"])
