"""The monolith of old: Flask under gunicorn, every process with all models, one process a core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.faults import CannotMeasure
from loadtest.processes import Launch, Program, running

READY_BUDGET_S = 60.0
LOOK_S = 1.0  # the socket accepts before any process does, so one look must not take all the time


@dataclass(frozen=True, slots=True)
class Monolith:
    """A monolith whose processes all answer."""

    address: str
    processes: tuple[int, ...]


@contextlib.asynccontextmanager
async def monolith(folder: Path, logs: Path) -> AsyncIterator[Monolith]:
    """Flask under gunicorn, one sync worker a core.

    Sync workers close the connection after each answer; gthread workers of one thread, which keep it open, were
    no faster.
    """
    processes = os.cpu_count() or 1
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with running(_gunicorn(folder, logs, processes, listener.fileno())) as program:
            yield Monolith(address, await _all_processes(program, address, processes))


def _gunicorn(folder: Path, logs: Path, processes: int, listener: int) -> Launch:
    options = ["--workers", str(processes), "--worker-class", "sync", "--bind", f"fd://{listener}"]
    options += ["--no-control-socket", "--log-level", "warning"]
    return Launch(
        name="monolith",
        command=[sys.executable, "-m", "gunicorn", *options, "loadtest.peers.monolith_app:create_app()"],
        folder=folder,
        log=logs / "monolith.log",
        environment={
            "MONOLITH_MODELS": str(folder / "models"),
            "MONOLITH_PLAYERS": str(folder / "players.sqlite"),
            "OMP_NUM_THREADS": "1",
        },
        inherited_fds=(listener,),
    )


async def _all_processes(program: Program, address: str, processes: int) -> tuple[int, ...]:
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
