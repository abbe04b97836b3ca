"""The supervisor's command line, read once; all faults are reported together."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mesh.roots import Roots
from mesh.serving import LoopKind
from mesh.settings import (
    LOG_FORMATS,
    LOG_LEVELS,
    LOOPS,
    Check,
    Parser,
    WrongSettingsError,
    dns_label,
    one_of,
    read,
    seconds,
    whole,
)
from mesh.tls import files as tls_files
from mesh.tls.files import TlsFiles
from mesh.tracing import options as tracing
from mesh.tracing.options import TraceOptions

# The folder where the kubelet mounts a pod's token, the CA of its cluster and its namespace.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PLACES = ("endpoints", "endpoint_slices", "dns")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one supervisor process; `python -m supervisor --help` explains each."""

    catalogs: tuple[Path, ...]
    files: Path | None
    volume: tuple[Path, ...]
    config_map: str | None
    endpoints: Path | None
    endpoint_slices: Path | None
    dns: str | None
    host: str
    port: int
    token_port: int | None
    servers: int
    metrics_host: str
    metrics_port: int
    max_waiting: int
    listen_within_s: float
    ready_within_s: float
    max_connection_age_s: float | None
    drain_s: float
    loop: LoopKind
    log_level: str
    log_format: Literal["text", "json"]
    follow_parent: bool
    no_reflection: bool
    metrics_tls: bool
    tls: TlsFiles | None
    traces: TraceOptions | None

    @property
    def roots(self) -> Roots | None:
        """The only folders whose files the catalogs may name; None: they may name any file."""
        return None if self.files is None else Roots(self.files.absolute(), confined=True, others=self.volume)


def read_settings(arguments: Sequence[str]) -> Settings:
    """The settings of a command line; raises WrongSettingsError with every fault."""
    parser = _parser()
    options, _ = parser.parse_known_args(arguments)
    faults = list(_faults(options))
    try:
        values = read(parser, _CHECKS, arguments)
    except WrongSettingsError as error:
        faults = [*error.faults, *faults]
    if faults:
        raise WrongSettingsError(faults)
    catalogs, volumes = (tuple(map(Path, values.pop(name))) for name in ("catalog", "volume"))
    tls = tls_files.tls_files(values)
    traces = tracing.trace_options(values)
    return Settings(catalogs, volume=volumes, **values, tls=tls, traces=traces)


def _faults(options: argparse.Namespace) -> Iterator[str]:
    """The faults that no single value shows."""
    if not options.catalog:
        yield "--catalog: is missing; give the catalog file of each game"
    if options.volume and options.files is None:
        yield "--volume: is given without --files, so that paths have no limit; give --files too"
    yield from (f"--volume: must be absolute, not {one!r}" for one in options.volume if not Path(one).is_absolute())
    if options.config_map is not None and len(options.catalog) > 1:
        yield "--config-map: goes with one catalog; give --catalog once"
    if options.config_map is not None and options.endpoint_slices is None:
        yield "--config-map: needs the service account of --endpoint-slices; give that option too"
    yield from tls_files.faults(vars(options))
    if options.token_port is not None and not options.tls_cert:
        yield "--token-port: needs TLS, because a token must not be readable on the way; give --tls-cert too"
    if options.token_port is not None and options.token_port == options.port != "0":
        yield "--token-port: must be another port than --port, which requires client certificates"
    given = ["--" + name.replace("_", "-") for name in PLACES if getattr(options, name) is not None]
    if len(given) > 1:
        yield f"{', '.join(given)}: cannot be combined; give only one"


def _parser() -> Parser:
    parser = Parser("supervisor", description="Answers the requests of game backends for the games of its catalogs.")
    add = parser.add_argument
    add("--catalog", action="append", default=[], metavar="FILE", help="catalog of a game (required); repeatable")
    about = (
        "base folder of relative paths in the catalogs; no path may leave it (default: the folder of each, no limit)"
    )
    add("--files", metavar="DIR", help=about)
    about = "another folder that paths in the catalogs may name, absolute; repeatable, goes with --files"
    add("--volume", action="append", default=[], metavar="DIR", help=about)
    about = "ConfigMap to follow through the API server of the cluster; --catalog is its mounted copy"
    add("--config-map", metavar="NAME", help=about)
    _add_places(parser)
    add("--host", default="127.0.0.1", help="address of the gRPC server (default: %(default)s)")
    add("--port", default="0", help="port of the gRPC server; 0: the system picks one (default: %(default)s)")
    about = "port for callers with bearer tokens: TLS without client certificates (default: none)"
    add("--token-port", metavar="PORT", help=about)
    add("--servers", default="4", help="servers of grpc.aio on these ports, in this process (default: %(default)s)")
    add("--metrics-host", default="127.0.0.1", help="address of the metrics endpoint (default: %(default)s)")
    add(
        "--metrics-port",
        default="0",
        help="port of the metrics endpoint; 0: the system picks one (default: %(default)s)",
    )
    add("--max-waiting", default="2048", help="maximum requests waiting for a cohort (default: %(default)s)")
    _add_times(parser)
    tls_files.add_options(parser)
    tracing.add_options(parser)
    add("--loop", default="uvloop", help="event loop: uvloop or asyncio (default: %(default)s)")
    add("--log-level", default="info", help="debug, info, warning or error (default: %(default)s)")
    add("--log-format", default="text", help="text, or json: one object a line (default: %(default)s)")
    add("--no-reflection", action="store_true", help="do not serve reflection, by which tools read the contract")
    add("--follow-parent", action="store_true", help="stop when the parent process ends (Linux)")
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = parser.add_argument_group("discovery of the replicas (at most one; default: no replicas)")
    places.add_argument("--endpoints", metavar="FILE", help="watch a JSON file")
    places.add_argument(
        "--endpoint-slices",
        nargs="?",
        const=str(SERVICE_ACCOUNT),
        metavar="DIR",
        help=f"watch the EndpointSlices in the pod's namespace; DIR: its service account (default: {SERVICE_ACCOUNT})",
    )
    places.add_argument(
        "--dns", metavar="NAMESPACE", help="look up the headless Services of the models in this namespace every 5 s"
    )


def _add_times(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--listen-within-s",
        default="0",
        help="seconds to wait, before listening, for replicas of as many models of each version as its quorum "
        "(default: %(default)s)",
    )
    add(
        "--ready-within-s",
        default="0",
        help="seconds to wait, before becoming ready, for a replica of every model (default: %(default)s)",
    )
    add(
        "--max-connection-age-s",
        help="seconds after which callers must reconnect, to spread over all supervisors; also ends their streams "
        "(default: no limit)",
    )
    add("--drain-s", default="5", help="seconds for the last answers after a stop signal (default: %(default)s)")


def _namespace(text: str) -> str:
    try:
        return dns_label(text)
    except ValueError:
        raise ValueError("must be a Kubernetes namespace") from None


def _object_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", text):
        raise ValueError("must be the name of a Kubernetes object")
    return text


_CHECKS: dict[str, Check] = {
    "port": whole(0, 65535),
    "token_port": whole(0, 65535),
    "servers": whole(1, 64),
    "metrics_port": whole(0, 65535),
    "max_waiting": whole(1, 999_999_999),
    "drain_s": seconds(0, 600),
    "listen_within_s": seconds(0, 600),
    "ready_within_s": seconds(0, 600),
    "max_connection_age_s": seconds(1, 86_400),
    "files": Path,
    "config_map": _object_name,
    "endpoints": Path,
    "endpoint_slices": Path,
    "dns": _namespace,
    "loop": one_of(*LOOPS),
    "log_level": one_of(*LOG_LEVELS),
    "log_format": one_of(*LOG_FORMATS),
    **tracing.CHECKS,
}
