"""What a load test needs to know of a system under test, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loadtest.generators.callers import Wire
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble


@dataclass(frozen=True, slots=True)
class System:
    """A system that has given a full answer, `first_answer_s` after its exec.

    `parts` are its processes by what they do; `metrics_address` is empty where no mesh tells its cohorts.
    """

    wire: Wire
    address: str
    parts: Mapping[str, tuple[int, ...]]
    first_answer_s: float
    metrics_address: str = ""

    @property
    def pids(self) -> tuple[int, ...]:
        """All its processes."""
        return tuple(pid for part in self.parts.values() for pid in part)


class Peer(Protocol):
    """Starts one kind of system, as its users would, for as long as a block lasts.

    Both raise CannotMeasure when it gives no full answer in time. `folder` is the workload's, filled; stderr goes
    to files in `logs`.
    """

    name: str

    def trained(self, ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AbstractAsyncContextManager[System]:
        """A system with one replica a model, or what comes nearest to it."""
        ...

    def simulated(
        self, ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int
    ) -> AbstractAsyncContextManager[System]:
        """A system of simulated models; `seed` fixes their service times."""
        ...
