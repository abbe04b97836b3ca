"""What `mesh up` runs: one worker for each replica of each model, and one supervisor for all games."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.catalog import Catalog, Model
from mesh.catalog.deployment.blocks import EngineChoice, Scaled
from mesh.catalog.deployment.laying import laid_over
from mesh.process import Event

# -P: a folder of the user's that happens to be called `supervisor` is not run instead.
_PYTHON = (sys.executable, "-P", "-m")
_WORKER_NICENESS = 19  # below the supervisor, which must not queue for a CPU behind its own workers


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose about the processes; without an `engine` the catalogs choose."""

    host: str
    port: int
    metrics_port: int
    loop: str
    replicas: int
    engine: EngineChoice | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of one worker in the mesh: whose model it is, which replica of it, and the catalog's choice for it."""

    game: str
    version: str
    model: Model
    replica: int
    engine: EngineChoice = "auto"

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
                    engine = laid_over(Scaled, catalog, ensemble, model).engine
                    yield Seat(catalog.game, version, model, replica, engine)


def worker_command(seat: Seat, options: Options, socket: Path) -> list[str]:
    """The words that start the worker of `seat`, on ports that the system picks and for its lanes on `socket`."""
    sha256 = ["--sha256", seat.model.sha256] if seat.model.sha256 else []
    ports = ["--port", "0", "--socket", str(socket), "--metrics-port", "0"]
    manners = ["--nice", str(_WORKER_NICENESS), "--follow-parent", "--loop", options.loop]
    model = ["--name", seat.model.name, "--uri", seat.model.uri, *sha256, "--engine", options.engine or seat.engine]
    return [*_PYTHON, "model_worker", *model, *ports, *manners]


def supervisor_command(files: Sequence[Path], endpoints: Path, options: Options) -> Callable[[Event | None], list[str]]:
    """The words that start the supervisor; it comes back on the ports that it had."""
    catalogs = [word for file in files for word in ("--catalog", str(file.absolute()))]

    def command(before: Event | None) -> list[str]:
        port = port_of(before["address"]) if before else options.port
        metrics_port = port_of(before["metrics"]) if before else options.metrics_port
        ports = ["--host", options.host, "--port", str(port), "--metrics-port", str(metrics_port)]
        manners = ["--follow-parent", "--loop", options.loop]
        return [*_PYTHON, "supervisor", *catalogs, "--endpoints", str(endpoints), *ports, *manners]

    return command


def port_of(address: str) -> int:
    """The port of `host:port`."""
    return int(address.rpartition(":")[2])
