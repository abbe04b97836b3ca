"""The mesh under trial: a supervisor with TLS and callers with tokens, before simulated replicas with TLS."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.peers import mesh
from loadtest.workload_files import write_inputs
from loadtest.workloads import SimulatedEnsemble, catalog_of
from mesh.process import running
from mesh.tls.files import TlsFiles
from mesh.tls.throwaway import files_in, new_authority

SUPERVISOR, WORKER = "supervisor.fairness.mesh", "worker.fairness.mesh"
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """The mesh: the address for callers with tokens, that of its metrics, its CA, and the process of each part."""

    address: str
    metrics: str
    ca: Path
    parts: Mapping[str, Sequence[int]]


def token_of(caller: str) -> str:
    """The token of a caller."""
    return f"token-of-{caller}"


@contextlib.asynccontextmanager
async def mesh_with_callers(
    ensemble: SimulatedEnsemble, callers: Mapping[str, Mapping[str, Any]], folder: Path, logs: Path, seed: int
) -> AsyncIterator[Running]:
    """Runs the mesh until the block ends; `callers` are those of the catalog, without their tokens."""
    write_inputs(ensemble, folder)
    await mesh.load_features(folder, logs)
    _write_catalog(ensemble, callers, folder)
    authority = new_authority()
    own, workers = (files_in(folder / "tls", name) for name in ("supervisor", "worker"))
    authority.write(own, [SUPERVISOR])
    authority.write(workers, [WORKER])
    async with mesh.simulated_replicas(ensemble, folder, logs, seed, _options(workers)) as pid:
        launch = mesh.supervisor_launch(folder, logs, [*_options(own), "--token-port", "0"])
        async with running(launch) as supervisor:
            ready = await supervisor.event("ready", START_S)
            parts = {"supervisor": (int(ready["pid"]),), "replicas": (pid,)}
            yield Running(ready["token_address"], ready["metrics"], own.ca, parts)


def _write_catalog(ensemble: SimulatedEnsemble, callers: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    known = {
        name: {**rights, "token_sha256": [hashlib.sha256(token_of(name).encode()).hexdigest()]}
        for name, rights in callers.items()
    }
    catalog = {**catalog_of(ensemble), "callers": known, "tls": {"worker": WORKER, "supervisor": SUPERVISOR}}
    (folder / "mesh.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False))


def _options(files: TlsFiles) -> list[str]:
    return ["--tls-cert", str(files.cert), "--tls-key", str(files.key), "--tls-ca", str(files.ca)]
