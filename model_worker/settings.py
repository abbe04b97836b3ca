"""The command line of a worker."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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

if TYPE_CHECKING:
    from mesh.serving import LoopKind


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one worker; `python -m model_worker --help` describes each of them."""

    name: str
    uri: str
    sha256: str | None
    categories: list[str] | None
    inputs: str
    golden: str | None
    golden_sha256: str | None
    host: str
    port: int
    socket: str | None
    metrics_port: int
    max_batch_rows: int
    max_queue_rows: int
    num_threads: int
    engine: Literal["auto", "lightgbm"]
    loop: LoopKind
    nice: int
    follow_parent: bool
    no_reflection: bool
    log_level: str
    log_format: Literal["text", "json"]
    drain_s: float
    proof_memory_mb: int
    proof_s: float
    proofs: str
    trusted_proofs: str
    cache: str
    fetch_s: float
    max_model_mb: int
    tls_supervisor: tuple[str, ...]
    metrics_tls: bool
    tls: TlsFiles | None
    traces: TraceOptions | None


def read_settings(arguments: Sequence[str]) -> Settings:
    """Returns the settings of a command line; raises WrongSettingsError with every fault."""
    values = read(_parser(), _CHECKS, arguments)
    faults = list(tls_files.faults(values))
    if values["tls_cert"] and not values["tls_supervisor"]:
        faults.append("--tls-supervisor: is missing; name the supervisors that may send rows to this worker")
    if values["max_queue_rows"] < values["max_batch_rows"]:
        faults.append("--max-queue-rows: must be at least --max-batch-rows, or the queue never holds a full batch")
    if faults:
        raise WrongSettingsError(faults)
    tls, traces = tls_files.tls_files(values), tracing.trace_options(values)
    return Settings(**{**values, "tls_supervisor": tuple(values["tls_supervisor"])}, tls=tls, traces=traces)


def _parser() -> Parser:
    description = "Serves one LightGBM model over the Open Inference Protocol."
    parser = Parser(prog="model_worker", description=description, allow_abbrev=False)
    add = parser.add_argument
    add("--name", default="", help="name of the model on the wire: a DNS label")
    add("--uri", default="", help="LightGBM text file of the model: a path, or s3://BUCKET/KEY")
    add("--sha256", help="expected SHA-256 of the file (64 hex digits); not checked if omitted")
    add("--categories", help="category columns, with commas, if the file does not show them: see the catalog's key")
    add(
        "--golden",
        help="golden rows that the model must score as expected, or it is not served: a path or s3://",
    )
    add("--golden-sha256", help="expected SHA-256 of the file of golden rows; not checked if omitted")
    add("--inputs", default="", help="JSON file with the sources of features: a model that they cannot feed is refused")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", default="0", help="gRPC port; 0 lets the system pick (%(default)s)")
    add("--socket", help="additional Unix socket to listen on: it needs a fifth less CPU on one machine")
    add("--metrics-port", default="0", help="Prometheus port; 0 lets the system pick (%(default)s)")
    add("--max-batch-rows", default="4096", help="maximum rows of one request, and of one predict call (%(default)s)")
    add("--max-queue-rows", default="16384", help="maximum rows that are admitted and not yet answered (%(default)s)")
    add("--num-threads", default="1", help="threads of one predict call (%(default)s)")
    add("--engine", default="auto", help="lightgbm; or auto: the forest engine if built and proved (%(default)s)")
    add("--loop", default="uvloop", help="event loop: uvloop or asyncio (%(default)s)")
    add("--nice", default="0", help="increment of the niceness of the process (%(default)s)")
    add("--no-reflection", action="store_true", help="do not serve reflection, by which tools read the contract")
    add("--follow-parent", action="store_true", help="stop when the parent process ends (Linux)")
    add("--log-level", default="info", help="log level: debug, info, warning or error (%(default)s)")
    add("--log-format", default="text", help="text, or json: one object a line (%(default)s)")
    add("--drain-s", default="5", help="maximum seconds to answer admitted requests at a stop (%(default)s)")
    _add_folders_and_limits(parser)
    tls_files.add_options(parser)
    tracing.add_options(parser)
    about = "name in the certificate of a supervisor that may send rows (required with TLS); repeatable"
    add("--tls-supervisor", action="append", default=[], metavar="NAME", help=about)
    return parser


def _add_folders_and_limits(parser: Parser) -> None:
    add = parser.add_argument
    add("--proof-memory-mb", default="2048", help="memory, in MiB, of the child that tries the model (%(default)s)")
    add("--proof-s", default="20", help="maximum seconds for the child that tries the model (%(default)s)")
    add(
        "--proofs",
        default=default_cache("proofs"),
        help="folder that keeps proofs of models; '' for none (%(default)s)",
    )
    add("--trusted-proofs", default="", help="folder of proofs that is only read; files of any owner are accepted")
    add("--cache", default=default_cache("models"), help="folder for models from S3 (%(default)s)")
    add("--fetch-s", default="90", help="maximum seconds to fetch a model from S3, with all retries (%(default)s)")
    add("--max-model-mb", default="1024", help="maximum size of a model from S3, in MiB (%(default)s)")


def default_cache(kind: str) -> str:
    """Returns the folder of the user's cache for `kind`."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (pathlib adds 6 ms)
    return f"{caches}/ensemble-mesh/{kind}"


def _present(text: str) -> str:
    if not text:
        raise ValueError("must name a file")
    return text


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("must be 64 hex digits")
    return text.lower()


def _names(text: str) -> list[str]:
    names = text.split(",")  # LightGBM allows no commas in the names of columns
    if not all(names):
        raise ValueError("must be names of columns with commas between them")
    return names


_CHECKS: dict[str, Check] = {
    "name": dns_label,
    "uri": _present,
    "sha256": _digest,
    "categories": _names,
    "golden": _present,
    "golden_sha256": _digest,
    "port": whole(0, 65535),
    "metrics_port": whole(0, 65535),
    "max_batch_rows": whole(1, 1_000_000),
    "max_queue_rows": whole(1, 100_000_000),
    "num_threads": whole(1, 256),
    "engine": one_of("auto", "lightgbm"),
    "loop": one_of(*LOOPS),
    "nice": whole(0, 19),
    "log_level": one_of(*LOG_LEVELS),
    "log_format": one_of(*LOG_FORMATS),
    **tracing.CHECKS,
    "drain_s": seconds(0.001, 3600),
    "proof_memory_mb": whole(256, 1_000_000),
    "proof_s": seconds(0.001, 3600),
    "fetch_s": seconds(0.001, 3600),
    "max_model_mb": whole(1, 1_000_000),
}
