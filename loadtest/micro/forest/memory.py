"""The memory of a process that holds one model, for each engine."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.measurement import meters
from loadtest.measurement.latency import ratio
from loadtest.micro.forest.engines import Libraries
from mesh.process import Launch, running

READY_BUDGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Memory:
    """PSS of a process with one model, in MiB, medians of rounds."""

    packed_mb: float
    lightgbm_mb: float

    @property
    def share(self) -> float:
        """The memory with the engine over the memory with LightGBM."""
        return ratio(self.packed_mb, self.lightgbm_mb)


async def measure_memory(libraries: Libraries, file: Path, rounds: int, logs: Path) -> Memory:
    """Starts one process after the other. Library pages that this process maps too are counted only in part."""
    packed, lightgbm = list[float](), list[float]()
    for _ in range(rounds):
        packed.append(await _process_mb([str(file), libraries.lightgbm, libraries.engine], logs))
        lightgbm.append(await _process_mb([str(file), libraries.lightgbm], logs))
    return Memory(statistics.median(packed), statistics.median(lightgbm))


async def _process_mb(arguments: Sequence[str], logs: Path) -> float:
    command = [sys.executable, "-P", "-m", "loadtest.micro.forest.model_holder", *arguments]
    async with running(Launch("holder", command, Path.cwd(), logs / "holder.log")) as holder:
        await holder.event("ready", READY_BUDGET_S)
        return meters.pss_mb(holder.pid)
