"""The mesh of the trial: two supervisors with certificates of their own, and two replicas of each model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.peers import mesh
from loadtest.rotation.files import Certificates
from loadtest.rotation.rogues import Rogues, rogue_replicas
from loadtest.workloads import TrainedEnsemble, catalog_of
from mesh.cli.metrics_page import fetch
from mesh.process import Event, Launch, running
from mesh.tls.channel import ClientSecurity

REPLICAS = 2
CATALOG = "rotation.yaml"
CLIENT, FIRST, SECOND = "client", "supervisor", "supervisor-2"
AGE_S = 10.0  # of a connection to the second supervisor: its callers connect again and again
LOOK_S, LANES_BUDGET_S = 0.1, 60.0


@dataclass(frozen=True, slots=True)
class Supervisor:
    """A supervisor that runs."""

    address: str
    metrics: str
    pid: int
    log: Path


@dataclass(frozen=True, slots=True)
class World:
    """The processes, their certificates, and the servers that pose as replicas for the second supervisor."""

    game: str
    folder: Path
    supervisors: Sequence[Supervisor]
    workers: Sequence[Mapping[str, Any]]
    certificates: Certificates
    rogues: Rogues

    @property
    def security(self) -> ClientSecurity:
        """How callers connect; their certificate changes with the others."""
        files = self.certificates.files(CLIENT)
        return ClientSecurity(files.ca, files.cert, files.key)

    @property
    def pids(self) -> list[int]:
        """The processes of the mesh."""
        return [*(one.pid for one in self.supervisors), *(worker["pid"] for worker in self.workers)]

    def logs(self) -> dict[str, Path]:
        """The log of each process, by its name."""
        first, second = self.supervisors
        workers = {path.name: path for path in first.log.parent.glob(f"{self.game}.*.log")}
        return {FIRST: first.log, SECOND: second.log, **workers}

    def dead(self) -> list[int]:
        """The processes that have ended."""
        return [pid for pid in self.pids if not _is_alive(pid)]

    async def settled(self, changes: Mapping[str, int]) -> None:
        """Returns when each process, by its name, has used `changes` new certificates or CAs, and so have all lanes.

        Raises TimeoutError after 60 s.
        """
        async with asyncio.timeout(LANES_BUDGET_S):
            while any(count < changes[name] for name, count in self.changes().items()):  # noqa: ASYNC110 (other processes)
                await asyncio.sleep(LOOK_S)
            while not all([await self._is_settled(one) for one in self.supervisors]):  # noqa: ASYNC110 (other processes)
                await asyncio.sleep(LOOK_S)

    def changes(self) -> dict[str, int]:
        """How many times each process, by its name, has used a new certificate or CA."""
        return {name: changes_in(log) for name, log in self.logs().items()}

    async def _is_settled(self, supervisor: Supervisor) -> bool:
        page = await asyncio.to_thread(fetch, supervisor.metrics)
        return not page.total("mesh_lanes_stale") and page.total("mesh_lanes", state="up") == len(self.workers)


@contextlib.asynccontextmanager
async def running_world(plan: Plan, ensemble: TrainedEnsemble) -> AsyncIterator[World]:
    """Trains the missing models and runs the mesh; its first certificates are those of `mesh up --tls`."""
    folder = await prepared_folder(ensemble, plan)
    catalog = {**catalog_of(ensemble), "callers": {"trial": {"names": ["client.mesh"]}}}
    (folder / CATALOG).write_text(yaml.safe_dump(catalog, sort_keys=False))
    async with mesh.up(folder, plan.logs, replicas=REPLICAS, catalog=CATALOG, tls=True) as ready:
        await mesh.first_full_answer(ready["address"], ensemble, mesh.security_of(ready))
        certificates = await _take_over(Path(ready["tls"]), ensemble.game, Path(ready["logs"]))
        async with (
            rogue_replicas(certificates, ensemble.game) as rogues,
            _second(ready, plan, folder, rogues) as second,
        ):
            first = Supervisor(
                ready["address"], ready["metrics"], ready["supervisor"]["pid"], Path(ready["logs"]) / "supervisor.log"
            )
            world = World(ensemble.game, folder, (first, second), ready["workers"], certificates, rogues)
            await world.settled(world.changes())
            yield world


async def _take_over(folder: Path, game: str, logs: Path) -> Certificates:
    """Replaces the CA of `mesh up`, whose key is gone, by one of the trial; this is the first change of the CA."""
    hosts = ["localhost", "127.0.0.1"]
    supervisor = [f"supervisor.{game}.mesh", *hosts]
    names = {FIRST: supervisor, SECOND: supervisor, f"worker-{game}": [f"worker.{game}.mesh"], CLIENT: ["client.mesh"]}
    own = Certificates(folder, names)
    ca = own.files("").ca
    ca.write_bytes(ca.read_bytes() + own.authority.cert)
    await all_logs_have(logs, 1)
    own.renew()
    await all_logs_have(logs, 2)
    own.trust(own.authority)
    await all_logs_have(logs, 3)
    return own


async def all_logs_have(logs: Path, count: int) -> None:
    """Returns when every process that logs to `logs` has used `count` new certificates; raises TimeoutError."""
    async with asyncio.timeout(LANES_BUDGET_S):
        while min(map(changes_in, _logs_in(logs))) < count:  # noqa: ASYNC110 (other processes)
            await asyncio.sleep(LOOK_S)


def _logs_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.log"))


def changes_in(log: Path) -> int:
    """Returns how many times the process has used a new certificate."""
    return log.read_text(errors="replace").count("a new certificate is in use")


@contextlib.asynccontextmanager
async def _second(ready: Event, plan: Plan, folder: Path, rogues: Rogues) -> AsyncIterator[Supervisor]:
    """Runs a supervisor for the workers of `mesh up`, and for `rogues` as replicas of the first model."""
    endpoints = json.loads((Path(ready["logs"]) / "endpoints.json").read_text())
    (version,) = next(iter(endpoints.values())).values()
    first = next(iter(version))
    served = version[first][0]["serves"]
    version[first] += [{"address": address, "serves": served} for address in rogues.addresses.values()]
    file = folder / "rotation-endpoints.json"
    file.write_text(json.dumps(endpoints))
    files = [f"--tls-{kind}={Path(ready['tls']) / name}" for kind, name in _FILES.items()]
    command = [sys.executable, "-m", "supervisor", "--catalog", CATALOG, "--endpoints", str(file), *files]
    command += ["--max-connection-age-s", f"{AGE_S:g}", "--listen-within-s", "60", "--follow-parent"]
    log = plan.logs / f"{SECOND}.log"
    log.unlink(missing_ok=True)
    async with running(Launch(SECOND, command, folder, log)) as process:
        event = await process.event("ready", LANES_BUDGET_S)
        yield Supervisor(event["address"], event["metrics"], event["pid"], log)


_FILES = {"cert": f"{SECOND}.pem", "key": f"{SECOND}.key", "ca": "ca.pem"}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
