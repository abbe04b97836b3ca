"""The mesh without our scoring engine: every worker scores by LightGBM's own library."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble

name = "mesh-lightgbm"


@contextlib.asynccontextmanager
async def trained(ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AsyncIterator[System]:
    """`mesh up --engine lightgbm`."""
    async with mesh.trained(ensemble, folder, logs, "lightgbm") as system:
        yield system


@contextlib.asynccontextmanager
async def simulated(ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int) -> AsyncIterator[System]:
    """The mesh itself: simulated models have no engine."""
    async with mesh.simulated(ensemble, folder, logs, seed) as system:
        yield system
