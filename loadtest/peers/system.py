"""A running system under test, and the port for the peers that start one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loadtest.generators.callers import Wire
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble
from mesh.tls.channel import PLAINTEXT, ClientSecurity


@dataclass(frozen=True, slots=True)
class System:
    """A system that gave its first full answer `first_answer_s` after its start.

    `parts` are its process ids by role; `metrics_address` is empty for a system that reports no cohorts. `security` is
    how its callers connect.
    """

    wire: Wire
    address: str
    parts: Mapping[str, tuple[int, ...]]
    first_answer_s: float
    metrics_address: str = ""
    security: ClientSecurity = PLAINTEXT

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of all its processes."""
        return tuple(pid for part in self.parts.values() for pid in part)


class Peer(Protocol):
    """Starts one kind of system, as its users start it, until a block ends.

    Both methods raise an error of FAILURES when the system gives no full answer in time. `folder` is the filled
    folder of the workload; stderr goes to files in `logs`.
    """

    @property
    def name(self) -> str:
        """The name in tables and documents."""
        ...

    def trained(self, ensemble: TrainedEnsemble, folder: Path, logs: Path) -> AbstractAsyncContextManager[System]:
        """A system with one replica per model, or its closest equivalent."""
        ...

    def simulated(
        self, ensemble: SimulatedEnsemble, folder: Path, logs: Path, seed: int
    ) -> AbstractAsyncContextManager[System]:
        """A system with simulated models; `seed` fixes their service times."""
        ...
