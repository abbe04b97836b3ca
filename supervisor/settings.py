"""The supervisor's settings, read once; all faults are reported together."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import Misconfigured
from mesh.serving import LoopKind

# Where the kubelet puts a pod's token, its cluster's CA and its namespace.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """What one supervisor process is told on its command line."""

    catalogs: tuple[Path, ...]
    files: Path | None
    endpoints: Path | None
    endpoint_slices: Path | None
    dns: str | None
    host: str
    port: int
    metrics_host: str
    metrics_port: int
    max_waiting: int
    ready_within_s: float
    max_connection_age_s: float | None
    drain_s: float
    loop: LoopKind
    log_level: str
    follow_parent: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Reads the command line; raises Misconfigured with every value that is out of range."""
    options = _parser().parse_args(arguments)
    faults = list(_faults(options))
    if faults:
        raise Misconfigured(faults)
    return Settings(tuple(options.catalog), **{k: v for k, v in vars(options).items() if k != "catalog"})


def _faults(options: argparse.Namespace) -> Iterator[str]:
    for name in ("port", "metrics_port"):
        if not 0 <= getattr(options, name) <= 65535:
            yield f"--{name.replace('_', '-')}: is {getattr(options, name)}; give a number from 0 to 65535"
    if options.max_waiting < 1:
        yield f"--max-waiting: is {options.max_waiting}; give at least 1"
    for name in ("drain_s", "ready_within_s"):
        if not 0 <= getattr(options, name) <= 600:
            yield f"--{name.replace('_', '-')}: is {getattr(options, name)}; give seconds from 0 to 600"
    age_s = options.max_connection_age_s
    if age_s is not None and not 1 <= age_s <= 86_400:
        yield f"--max-connection-age-s: is {age_s}; give seconds from 1 to 86400"
    if options.dns is not None and not NAMESPACE.fullmatch(options.dns):
        yield f"--dns: is {options.dns!r}; give a Kubernetes namespace"
    places = [name for name in ("endpoints", "endpoint_slices", "dns") if getattr(options, name) is not None]
    if len(places) > 1:
        yield f"{', '.join('--' + name.replace('_', '-') for name in places)}: are given together; give one of them"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("supervisor", description="Answers Offers for the games of its catalogs.")
    add = parser.add_argument
    add("--catalog", type=Path, action="append", required=True, metavar="FILE", help="one a game; may be repeated")
    add(
        "--files", type=Path, metavar="DIR", help="what the catalogs' relative paths are of (default: their own folder)"
    )
    _add_places(parser)
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add("--port", type=int, default=0, help="0: the system picks one (default: %(default)s)")
    add("--metrics-host", default="127.0.0.1", help="where to serve metrics (default: %(default)s)")
    add("--metrics-port", type=int, default=0, help="0: the system picks one (default: %(default)s)")
    add("--max-waiting", type=int, default=2048, help="requests that may wait for a cohort (default: %(default)s)")
    _add_times(parser)
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop (default: %(default)s)")
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    add("--follow-parent", action="store_true", help="end when the process that started this one ends")
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = parser.add_argument_group("where the replicas are (at most one; default: none are known)")
    places.add_argument("--endpoints", type=Path, metavar="FILE", help="a JSON file, watched")
    places.add_argument(
        "--endpoint-slices",
        type=Path,
        nargs="?",
        const=SERVICE_ACCOUNT,
        metavar="DIR",
        help=f"in the pod's namespace, watched; DIR holds the pod's service account (default: {SERVICE_ACCOUNT})",
    )
    places.add_argument("--dns", metavar="NAMESPACE", help="behind the models' headless services there, looked up")


def _add_times(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ready-within-s",
        type=float,
        default=0.0,
        help="be ready as soon as every model has a replica, at the latest after so long (default: %(default)s)",
    )
    add(
        "--max-connection-age-s",
        type=float,
        help="callers connect anew after so long, to spread over all supervisors; so do streams (default: never)",
    )
    add("--drain-s", type=float, default=5.0, help="time for the last answers at the end (default: %(default)s)")
