"""The mesh: started by `mesh up` with trained models, or as a supervisor before simulated ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.faults import CannotMeasure
from loadtest.generators.callers import FULL_ANSWER, score_callers
from loadtest.processes import Launch, run_to_end, running
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, endpoints_of, feature_names

READY_BUDGET_S = 60.0
ASK_AGAIN_S = 0.005


@dataclass(frozen=True, slots=True)
class Mesh:
    """A mesh that has given a full answer. `first_answer_s`: from its exec until then."""

    address: str
    metrics_address: str
    supervisor: int
    workers: tuple[int, ...]
    first_answer_s: float


async def load_features(folder: Path, logs: Path) -> None:
    """Fills `folder`/players.sqlite from players.csv as the catalog says."""
    command = ["features", "load", "players.csv", "--catalog", "mesh.yaml"]
    await run_to_end(_mesh_command("features", command, folder, logs), READY_BUDGET_S)


@contextlib.asynccontextmanager
async def trained_mesh(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[Mesh]:
    """`mesh up` on the catalog in `folder`, one replica a model."""
    command = ["up", "mesh.yaml", "--port", "0", "--metrics-port", "0", "--json"]
    launch = _mesh_command("mesh", command, folder, logs)
    started_s = time.monotonic()
    async with running(launch) as program:
        ready = await program.event("ready", READY_BUDGET_S)
        await _first_full_answer(ready["address"], ensemble)
        first_answer_s = time.monotonic() - started_s
        yield Mesh(
            address=ready["address"],
            metrics_address=ready["metrics"],
            supervisor=ready["supervisor"]["pid"],
            workers=tuple(worker["pid"] for worker in ready["workers"]),
            first_answer_s=first_answer_s,
        )


@contextlib.asynccontextmanager
async def simulated_mesh(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[Mesh]:
    """A supervisor before simulated replicas; `seed` fixes their service times."""
    async with running(_replicas(ensemble, folder, logs, seed)) as replicas:
        addresses = (await replicas.event("ready", READY_BUDGET_S))["addresses"]
        (folder / "endpoints.json").write_text(json.dumps(endpoints_of(ensemble, addresses)))
        started_s = time.monotonic()
        async with running(_supervisor(folder, logs)) as supervisor:
            ready = await supervisor.event("ready", READY_BUDGET_S)
            await _first_full_answer(ready["address"], ensemble)
            first_answer_s = time.monotonic() - started_s
            yield Mesh(ready["address"], ready["metrics"], ready["pid"], (replicas.process.pid,), first_answer_s)


def _mesh_command(name: str, command: list[str], folder: Path, logs: Path) -> Launch:
    return Launch(name, [sys.executable, "-m", "mesh.cli.main", *command], folder, logs / f"{name}.log")


def _supervisor(folder: Path, logs: Path) -> Launch:
    options = ["--catalog", "mesh.yaml", "--endpoints", "endpoints.json", "--port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-m", "supervisor", *options]
    return Launch("supervisor", command, folder, logs / "supervisor.log")


def _replicas(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> Launch:
    command = [sys.executable, "-m", "loadtest.simulated.replicas"]
    command += ["--replicas", str(ensemble.models * ensemble.replicas), "--seed", str(seed)]
    command += ["--median-ms", str(ensemble.service.median_s * 1000), "--sigma", str(ensemble.service.sigma)]
    for feature in feature_names(ensemble):
        command += ["--feature", feature]
    return Launch("replicas", command, folder, logs / "replicas.log")


async def _first_full_answer(address: str, ensemble: TrainedEnsemble | SimulatedEnsemble) -> None:
    source = "nothing"
    try:
        async with asyncio.timeout(READY_BUDGET_S), score_callers(address, ensemble.game, 1, 1) as callers:
            while (source := await callers[0].ask(0)) != FULL_ANSWER:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(ASK_AGAIN_S)
    except TimeoutError:
        raise CannotMeasure(f"no full answer within {READY_BUDGET_S:g} s of the start, but {source}") from None
