"""`python -m loadtest`: the command line of the load tests."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from rich.console import Console

from loadtest.errors import FAILURES, CannotMeasure
from loadtest.extra_packages import EXTRA_PACKAGES, not_installed
from mesh.errors import Misconfigured
from mesh.model_file import BadModel

NOT_MEASURED, INTERRUPTED = 2, 130
CHECKOUT_ONLY = ("emulators", "k8s")  # packages that an installation does not have
LOCUST = "locust"
LOCUST_HELP = "watch a mesh under load in a browser: locust with our locustfile, and with all its options"
COMMANDS = {
    "run": ("loadtest.run.command", "send requests on a schedule to a running mesh; report latencies and the knee"),
    "profile": ("loadtest.capacity.command", "measure the capacity of one replica of a model; write profile.json"),
    "scaling": ("loadtest.scaling.command", "compare the CPU of a replica of `mesh up` with the simulator's"),
    "bench": ("loadtest.compare.bench", "compare the mesh with a monolith (W15) and with the ideal mesh (S15)"),
    "forest": ("loadtest.micro.forest.command", "compare the scoring engine with LightGBM: CPU, start, memory, scores"),
    "features": (
        "loadtest.micro.features.command",
        "measure CPU per DynamoDB key, and W15 with DynamoDB and SQLite",
    ),
    "outages": ("loadtest.outages.command", "make the player store fail in every way, and check every answer"),
    "replica-faults": (
        "loadtest.replica_faults.command",
        "freeze, block and throttle one replica of two; check every answer",
    ),
    "rotation": ("loadtest.rotation.command", "renew every certificate and the CA under load; check every answer"),
    "tls": ("loadtest.tls_cost.command", "rate and CPU of answers with TLS on every connection, and without"),
    "clients": ("loadtest.clients.command", "run the client of each language through the same scenarios"),
    "affinity": ("loadtest.affinity.command", "reads of the player store: each player with one supervisor, or in turn"),
    "shadow": ("loadtest.shadow.command", "latency and full answers with a shadow of all requests, and without"),
    "outcomes": ("loadtest.outcomes.command", "latency and full answers beside reports of outcomes, and without"),
    "fairness": (
        "loadtest.fairness.command",
        "one caller floods beside nine polite ones; a critical caller at an overload",
    ),
    "sharing": (
        "loadtest.sharing.command",
        "CPU of an answer: two versions that share 14 of 15 models, and one",
    ),
    "drift": ("loadtest.drift.command", "CPU of an answer with a reference of the training, and without"),
    "decisions": ("loadtest.decisions.command", "CPU and rate of answers with the decision log, and without"),
    "tracing": ("loadtest.tracing.command", "CPU and rate of answers with traces, and without"),
    "log-format": ("loadtest.log_format.command", "CPU and rate of a supervisor with logs in JSON, and in text"),
    "versions": ("loadtest.versions.command", "change the catalog of `mesh up` under load; check every answer"),
    "fleet": ("loadtest.fleet.command", "180 models: time of check and render, CPU and memory of an idle supervisor"),
    "handshakes": ("loadtest.handshakes.command", "full TLS handshakes a second, beside requests to a running mesh"),
    "hostile": (
        "loadtest.hostile.command",
        "p99 of steady requests beside each attack of hostile clients, and without",
    ),
    "lanes": ("loadtest.lanes.command", "stop the process behind 2,000 lanes; memory, CPU, time to recover"),
    "compare": ("loadtest.compare.command", "compare the mesh with a monolith, a naive mesh and Ray Serve"),
}


def main() -> int:
    """Runs the command; the exit code is 2 when it cannot measure, 130 when a signal ended it."""
    arguments = sys.argv[1:]
    try:
        options = _parser(arguments).parse_args(arguments)
        return int(options.run(options))
    except (*FAILURES, BadModel) as error:
        lines = [str(error)]
    except Misconfigured as error:
        lines = error.faults
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    stderr = Console(stderr=True, highlight=False)
    for line in lines:
        stderr.print(line, style="red", markup=False, soft_wrap=True)
    return NOT_MEASURED


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all commands, with the options of the command in `arguments` only: the others stay unimported."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser(LOCUST, help=LOCUST_HELP)
    for name, (module, summary) in COMMANDS.items():
        options = commands.add_parser(name, help=summary)
        if arguments[:1] == [name]:
            command = _imported(name, module)
            options.description = command.__doc__
            command.add_options(options)
            options.set_defaults(run=command.run)
    return parser


def _imported(name: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in EXTRA_PACKAGES:
            raise CannotMeasure(not_installed(name, package)) from None
        if package not in CHECKOUT_ONLY:
            raise
        reason = f"`loadtest {name}` needs the package {package}, which is not installed with loadtest"
        raise CannotMeasure(f"{reason}; run it in a checkout of the repository") from None


def _become_locust(arguments: Sequence[str]) -> None:
    """Replaces this process: locust has its own parser, and must be the first import of its process."""
    os.execv(sys.executable, [sys.executable, "-m", "loadtest.swarm", *arguments])


if __name__ == "__main__":
    if sys.argv[1:2] == [LOCUST]:
        _become_locust(sys.argv[2:])
    sys.exit(main())
