"""What `mesh up` runs: one worker for each replica of each model, and one supervisor for all games."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog import Catalog, Model
from mesh.cli.running.process import Ready

# -P: a folder of the user's that happens to be called `supervisor` is not run instead.
_PYTHON = (sys.executable, "-P", "-m")
_WORKER_NICENESS = 19  # below the supervisor, which must not queue for a CPU behind its own workers


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose about the processes."""

    host: str
    port: int
    metrics_port: int
    loop: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of one worker in the mesh: whose model it is, and which replica of it."""

    game: str
    version: str
    model: Model
    replica: int

    @property
    def name(self) -> str:
        """`game/version/model`, and the replica from the second on."""
        name = f"{self.game}/{self.version}/{self.model.name}"
        return f"{name}#{self.replica + 1}" if self.replica else name


def seats(catalogs: Sequence[Catalog], replicas: int) -> Iterator[Seat]:
    """Every worker of the games; the first replica of every model before the second of any."""
    for replica in range(replicas):
        for catalog in catalogs:
            for version, ensemble in catalog.versions.items():
                for model in ensemble.models:
                    yield Seat(catalog.game, version, model, replica)


def worker_command(seat: Seat, loop: str, socket: Path) -> list[str]:
    """The words that start the worker of `seat`, on ports that the system picks and for its lanes on `socket`."""
    sha256 = ["--sha256", seat.model.sha256] if seat.model.sha256 else []
    ports = ["--port", "0", "--socket", str(socket), "--metrics-port", "0"]
    manners = ["--nice", str(_WORKER_NICENESS), "--follow-parent", "--loop", loop]
    return [*_PYTHON, "model_worker", "--name", seat.model.name, "--uri", seat.model.uri, *sha256, *ports, *manners]


def supervisor_command(files: Sequence[Path], endpoints: Path, options: Options) -> Callable[[Ready | None], list[str]]:
    """The words that start the supervisor; it comes back on the ports that it had."""
    catalogs = [word for file in files for word in ("--catalog", str(file.absolute()))]

    def command(before: Ready | None) -> list[str]:
        port = port_of(before["address"]) if before else options.port
        metrics_port = port_of(before["metrics"]) if before else options.metrics_port
        ports = ["--host", options.host, "--port", str(port), "--metrics-port", str(metrics_port)]
        manners = ["--follow-parent", "--loop", options.loop]
        return [*_PYTHON, "supervisor", *catalogs, "--endpoints", str(endpoints), *ports, *manners]

    return command


def port_of(address: str) -> int:
    """The port of `host:port`."""
    return int(address.rpartition(":")[2])
