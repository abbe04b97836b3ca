"""Memory of a process that holds one model, in either engine."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest import metering
from loadtest.forest.engines import Libraries
from loadtest.latency import ratio
from mesh.process import Launch, running

READY_BUDGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Memory:
    """PSS of a process of its own, in MiB, medians of rounds."""

    packed_mb: float
    lightgbm_mb: float

    @property
    def share(self) -> float:
        """The engine's process over LightGBM's."""
        return ratio(self.packed_mb, self.lightgbm_mb)


async def measure_memory(libraries: Libraries, file: Path, rounds: int, logs: Path) -> Memory:
    """One process after the other. What this process has mapped of a library, too, is counted half."""
    packed, lightgbm = list[float](), list[float]()
    for _ in range(rounds):
        packed.append(await _held_mb([str(file), libraries.lightgbm, libraries.engine], logs))
        lightgbm.append(await _held_mb([str(file), libraries.lightgbm], logs))
    return Memory(statistics.median(packed), statistics.median(lightgbm))


async def _held_mb(arguments: Sequence[str], logs: Path) -> float:
    command = [sys.executable, "-P", "-m", "loadtest.forest.holder", *arguments]
    async with running(Launch("holder", command, Path.cwd(), logs / "holder.log")) as holder:
        await holder.event("ready", READY_BUDGET_S)
        return metering.pss_mb(holder.pid)
