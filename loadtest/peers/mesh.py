"""The mesh as a system under test: `mesh up` with trained models, or a supervisor with simulated replicas."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from loadtest.errors import CannotMeasure
from loadtest.generators.callers import FULL_ANSWER, Target, calling
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, endpoints_of, feature_names
from mesh.process import Event, Launch, run_to_end, running
from mesh.tls.channel import PLAINTEXT, ClientSecurity

Engine = Literal["auto", "lightgbm"]  # the engine of the workers, see `mesh up --engine`

READY_BUDGET_S = 120.0  # 90 workers on two cores take half a minute
ASK_AGAIN_S = 0.005


@dataclass(frozen=True, slots=True)
class Mesh:
    """Starts the mesh with `replicas` of each trained model; without `engine` each worker chooses its engine."""

    name: str = "mesh"
    engine: Engine | None = None
    replicas: int = 1

    @contextlib.asynccontextmanager
    async def trained(self, ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:
        """`mesh up` on the catalog in `folder`."""
        started_s = time.monotonic()
        async with up(folder, logs, self.engine, self.replicas) as ready:
            await first_full_answer(ready["address"], ensemble)
            parts = {
                "supervisor": (ready["supervisor"]["pid"],),
                "workers": tuple(worker["pid"] for worker in ready["workers"]),
            }
            yield System("grpc", ready["address"], parts, time.monotonic() - started_s, ready["metrics"])

    @contextlib.asynccontextmanager
    async def simulated(
        self, ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int
    ) -> AsyncIterator[System]:
        """A supervisor with simulated replicas, which have no scoring engine."""
        async with simulated_replicas(ensemble, folder, logs, seed) as pid:
            started_s = time.monotonic()
            async with running(supervisor_launch(folder, logs)) as supervisor:
                ready = await supervisor.event("ready", READY_BUDGET_S)
                await first_full_answer(ready["address"], ensemble)
                parts = {"supervisor": (ready["pid"],), "workers": (pid,)}
                yield System("grpc", ready["address"], parts, time.monotonic() - started_s, ready["metrics"])


SCALED_OUT = (Mesh("mesh-2", replicas=2), Mesh("mesh-6", replicas=6))


async def load_features(folder: Path, logs: Path) -> None:
    """Fills `folder`/players.sqlite from players.csv with `mesh features load`."""
    command = ["features", "load", "players.csv", "--catalog", "mesh.yaml"]
    await run_to_end(_mesh_command("features", command, folder, logs), READY_BUDGET_S)


@contextlib.asynccontextmanager
async def up(
    folder: Path,
    logs: Path,
    engine: Engine | None = None,
    replicas: int = 1,
    catalog: str = "mesh.yaml",
    *,
    tls: bool = False,
    options: Sequence[str] = (),
) -> AsyncIterator[Event]:
    """Runs `mesh up`, with more `options`, until the block ends; yields its `ready` event.

    No worker finds a kept proof of its model.
    """
    with tempfile.TemporaryDirectory(prefix="mesh-cache-") as cache:
        launch = up_launch(folder, logs, engine, replicas, catalog, tls=tls)
        launch = replace(launch, command=[*launch.command, *options], environment={"XDG_CACHE_HOME": cache})
        async with running(launch) as program:
            yield await program.event("ready", READY_BUDGET_S)


def security_of(ready: Event) -> ClientSecurity:
    """Returns how a client connects to a mesh, with the certificate of `mesh up --tls` if it has one."""
    if "tls" not in ready:
        return PLAINTEXT
    folder = Path(ready["tls"])
    return ClientSecurity(folder / "ca.pem", folder / "client.pem", folder / "client.key")


def up_launch(
    folder: Path,
    logs: Path,
    engine: Engine | None,
    replicas: int = 1,
    catalog: str = "mesh.yaml",
    *,
    tls: bool = False,
) -> Launch:
    """How to start `mesh up`."""
    command = ["up", catalog, "--port", "0", "--metrics-port", "0", "--json", "--replicas", str(replicas)]
    if engine:
        command += ["--engine", engine]
    if tls:
        command.append("--tls")
    return _mesh_command("mesh", command, folder, logs)


@contextlib.asynccontextmanager
async def simulated_replicas(
    ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int, options: Sequence[str] = ()
) -> AsyncIterator[int]:
    """Runs all replicas in one process and yields its id; writes their addresses to `folder`/endpoints.json.

    `options` are more options of the process.
    """
    launch = _replicas(ensemble, folder, logs, seed)
    async with running(replace(launch, command=[*launch.command, *options])) as replicas:
        addresses = (await replicas.event("ready", READY_BUDGET_S))["addresses"]
        (folder / "endpoints.json").write_text(json.dumps(endpoints_of(ensemble, addresses)))
        yield replicas.pid


async def first_full_answer(
    address: str, ensemble: TrainedEnsemble | SimulatedEnsemble, security: ClientSecurity = PLAINTEXT
) -> None:
    """Asks at `address` until an answer is full; raises CannotMeasure after `READY_BUDGET_S`."""
    target = Target("grpc", address, ensemble.method, ensemble.game, 1)
    source = "nothing"
    try:
        async with asyncio.timeout(READY_BUDGET_S), calling(target, security) as caller:
            while (source := await caller.ask(0)) != FULL_ANSWER:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(ASK_AGAIN_S)
    except TimeoutError:
        reason = f"{address} sent no full answer within {READY_BUDGET_S:g} s of the start"
        raise CannotMeasure(f"{reason}; the last answer was {source}") from None


def _mesh_command(name: str, command: list[str], folder: Path, logs: Path) -> Launch:
    return Launch(name, [sys.executable, "-m", "mesh.cli.main", *command], folder, logs / f"{name}.log")


def supervisor_launch(folder: Path, logs: Path, more: Sequence[str] = ()) -> Launch:
    """How to start a supervisor for the catalog and the endpoints in `folder`; `more` are more options."""
    options = ["--catalog", "mesh.yaml", "--endpoints", "endpoints.json", "--port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-m", "supervisor", *options, *more]
    return Launch("supervisor", command, folder, logs / "supervisor.log")


def _replicas(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> Launch:
    command = [sys.executable, "-m", "loadtest.simulated.replicas"]
    command += ["--replicas", str(ensemble.models * ensemble.replicas), "--seed", str(seed)]
    command += ["--median-ms", str(ensemble.service.median_s * 1000), "--sigma", str(ensemble.service.sigma)]
    for feature in feature_names(ensemble):
        command += ["--feature", feature]
    return Launch("replicas", command, folder, logs / "replicas.log")
