"""Plans the processes of `mesh up`: a worker for each replica of each model, and one supervisor for all games."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import EngineChoice
from mesh.catalog.deployment.workers import workers_of
from mesh.catalog.members import Member
from mesh.cli.up.certificates import Certificates
from mesh.process import Event

# -P: Python must not run a folder `supervisor` of the current directory instead of the installed package.
_PYTHON = (sys.executable, "-P", "-m")
_LISTEN_WITHIN_S = 60.0  # bounded, so that a missing model does not keep the mesh down
_WORKER_NICENESS = 19  # so that the supervisor does not wait for a CPU behind its own workers


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the processes.

    If `engine` is None, the catalogs choose the engine. Without `certificates`, the connections are plaintext.
    """

    host: str
    port: int
    metrics_port: int
    loop: str
    replicas: int
    engine: EngineChoice | None = None
    certificates: Certificates | None = None
    trace_words: tuple[str, ...] = ()  # the options of traces of both services


@dataclass(frozen=True, slots=True)
class Replica:
    """One worker of the mesh: its model, its number among the replicas of the model, and the catalog's engine.

    `version` is `shared` for a member.
    """

    game: str
    version: str
    model: Member
    number: int
    engine: EngineChoice = "auto"

    @property
    def model_key(self) -> tuple[str, str, str]:
        """The game, version and name of the model, whichever file it is."""
        return self.game, self.version, self.model.name

    @property
    def name(self) -> str:
        """`game/version/model`; from the second replica on, with `#2`, `#3` and so on."""
        name = f"{self.game}/{self.version}/{self.model.name}"
        return f"{name}#{self.number + 1}" if self.number else name


def replicas_of(catalogs: Sequence[Catalog], count: int) -> Iterator[Replica]:
    """Yields `count` replicas of each model; the first replicas of all models come before the second ones."""
    for number in range(count):
        for catalog in catalogs:
            for one in workers_of(catalog):
                yield Replica(one.game, one.home, one.model, number, one.settings.engine)


def worker_command(replica: Replica, options: Options, socket: Path, inputs: Path) -> list[str]:
    """Returns the command of a worker; the system picks its ports, and its lanes use the Unix socket `socket`.

    `inputs` is the inputs file of a catalog; see `mesh.catalog.worker_inputs`.
    """
    words = worker_words(replica, options)
    return [*_PYTHON, "model_worker", *words, "--socket", str(socket), "--inputs", str(inputs)]


def worker_words(replica: Replica, options: Options) -> list[str]:
    """Returns the arguments of a worker that follow from the catalog and the options."""
    sha256 = ["--sha256", replica.model.sha256] if replica.model.sha256 else []
    categories = [f"--categories={','.join(replica.model.categories)}"] if replica.model.categories else []
    engine = ["--engine", options.engine or replica.engine]
    golden = _golden_options(replica.model)
    model = ["--name", replica.model.name, "--uri", replica.model.uri, *sha256, *categories, *golden, *engine]
    ports = ["--port", "0", "--metrics-port", "0"]
    process = ["--nice", str(_WORKER_NICENESS), "--follow-parent", "--loop", options.loop]
    tls = options.certificates.worker_words(replica.game) if options.certificates else []
    return [*model, *ports, *process, *tls, *options.trace_words]


def _golden_options(model: Member) -> list[str]:
    digest = [f"--golden-sha256={model.golden_sha256}"] if model.golden_sha256 else []
    return [f"--golden={model.golden}", *digest] if model.golden else []


def supervisor_command(files: Sequence[Path], endpoints: Path, options: Options) -> Callable[[Event | None], list[str]]:
    """Returns the command of the supervisor as a function of its last ready event: a restart keeps the ports."""
    catalogs = [word for file in files for word in ("--catalog", str(file.absolute()))]

    def command(before: Event | None) -> list[str]:
        port = port_of(before["address"]) if before else options.port
        metrics_port = port_of(before["metrics"]) if before else options.metrics_port
        ports = ["--host", options.host, "--port", str(port), "--metrics-port", str(metrics_port)]
        process = ["--follow-parent", "--loop", options.loop, "--listen-within-s", f"{_LISTEN_WITHIN_S:g}"]
        tls = []
        if options.certificates is not None:
            token_port = port_of(before["token_address"]) if before else 0
            tls = [*options.certificates.supervisor_words(), "--token-port", str(token_port)]
        words = [*catalogs, "--endpoints", str(endpoints), *ports, *process, *tls, *options.trace_words]
        return [*_PYTHON, "supervisor", *words]

    return command


def port_of(address: str) -> int:
    """Returns the port of `host:port`."""
    return int(address.rpartition(":")[2])
