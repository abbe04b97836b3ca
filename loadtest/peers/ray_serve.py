"""Ray Serve as a peer, in an environment of its own: a Supervisor deployment and one deployment per model."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Sequence
from importlib import metadata
from pathlib import Path

from loadtest.errors import CannotMeasure
from loadtest.peers.mesh import first_full_answer
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, Workload
from mesh.process import Launch, running

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build" / "ray" / "bin" / "python"
MARK = "LOADTEST_RAY"  # set in the environment of every process that Ray starts, in any session
READY_BUDGET_S = 300.0

name = "ray"


@contextlib.asynccontextmanager
async def trained(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:
    """One replica per model."""
    async with _serving(ensemble, folder, logs, []) as system:
        yield system


@contextlib.asynccontextmanager
async def simulated(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[System]:  # noqa: ARG001
    """As many replicas per model as the mesh has; each draws its own times."""
    times = ["--median-s", f"{ensemble.service.median_s}", "--sigma", f"{ensemble.service.sigma}"]
    async with _serving(ensemble, folder, logs, ["--replicas", f"{ensemble.replicas}", *times]) as system:
        yield system


@contextlib.asynccontextmanager
async def _serving(workload: Workload, folder: Path, logs: Path, options: Sequence[str]) -> AsyncIterator[System]:
    if not PYTHON.exists():
        raise CannotMeasure("Ray Serve is not installed; `make compare-ray` installs it into build/ray")
    started_s, mark, port = time.monotonic(), secrets.token_hex(8), _free_port()
    try:
        async with running(_launch(folder, logs, port, mark, options)) as program:
            await program.event("ready", READY_BUDGET_S)
            await first_full_answer(f"127.0.0.1:{port}", workload)
            parts = {"processes": tuple(marked(mark))}
            yield System("grpc", f"127.0.0.1:{port}", parts, time.monotonic() - started_s)
    finally:
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """The ids of the processes whose environment contains `mark`; Ray starts some of them in other sessions."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def versions() -> dict[str, str]:
    """The version of Ray in its environment; empty if Ray is not installed."""
    packages = PYTHON.parents[1].glob("lib/python*/site-packages")
    found = {
        dist.metadata["Name"]: dist.version for dist in metadata.distributions(path=[str(path) for path in packages])
    }
    return {name: found[name] for name in ("ray",) if name in found}


def _launch(folder: Path, logs: Path, port: int, mark: str, options: Sequence[str]) -> Launch:
    command = [str(PYTHON), "-m", "loadtest.peers.ray_server", "--folder", str(folder), "--port", f"{port}", *options]
    environment = {
        MARK: mark,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        # The throughput-optimised mode of Ray's guide.
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
    }
    return Launch("Ray Serve", command, folder, logs / "ray.log", environment)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
