"""The worker's command line, read once; all its faults are told together."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from mesh.serving import LoopKind

EXIT_USAGE = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """How one worker is to run; the meaning of each is in `python -m model_worker --help`."""

    name: str
    uri: str
    sha256: str | None
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
    log_level: str
    drain_s: float
    proof_memory_mb: int
    proof_s: float
    cache: str
    fetch_s: float
    max_model_mb: int


def read_settings(arguments: Sequence[str]) -> Settings:
    """The settings of a command line; tells every fault on stderr and exits with 2 when there are any."""
    parser = _parser()
    try:
        found, unknown = parser.parse_known_args(arguments)
    except _UsageError as error:
        _refuse([str(error)])
    faults = [f"{argument}: unknown; see --help" for argument in unknown]
    values = {}
    for name, text in vars(found).items():
        try:
            values[name] = _CHECKS[name](text) if name in _CHECKS else text
        except ValueError as error:
            faults.append(f"--{name.replace('_', '-')}: {error}, not {text!r}")
    if not faults and values["max_queue_rows"] < values["max_batch_rows"]:
        faults.append("--max-queue-rows: must be at least --max-batch-rows, or no full batch ever waits")
    return _refuse(faults) if faults else Settings(**values)


class _UsageError(Exception):
    """What argparse itself cannot make sense of."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


def _parser() -> argparse.ArgumentParser:
    """Takes every value as text: argparse would stop at the first bad one."""
    parser = _Parser(prog="model_worker", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--name", default="", help="what the model is called on the wire: a DNS label")
    add("--uri", default="", help="the model's LightGBM text file: a path, or s3://BUCKET/KEY")
    add("--sha256", help="what the file's SHA-256 must be (64 hex digits); not checked when not given")
    add("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    add("--port", default="0", help="the gRPC port; 0 lets the system pick (%(default)s)")
    add("--socket", help="a Unix socket to listen on beside the port: a fifth cheaper on one machine")
    add("--metrics-port", default="0", help="the Prometheus port; 0 lets the system pick (%(default)s)")
    add("--max-batch-rows", default="4096", help="rows of one request, and of one predict call (%(default)s)")
    add("--max-queue-rows", default="16384", help="rows admitted and not yet answered (%(default)s)")
    add("--num-threads", default="1", help="threads of one predict call (%(default)s)")
    add("--engine", default="auto", help="lightgbm; or auto: our own if it is there and proved (%(default)s)")
    add("--loop", default="uvloop", help="the event loop: uvloop or asyncio (%(default)s)")
    add("--nice", default="0", help="added to the process's niceness (%(default)s)")
    add("--follow-parent", action="store_true", help="stop when the parent process dies (Linux)")
    add("--log-level", default="info", help="debug, info, warning or error (%(default)s)")
    add("--drain-s", default="5", help="seconds for what was admitted to be answered at the end (%(default)s)")
    add("--proof-memory-mb", default="2048", help="memory of the child that tries the model (%(default)s)")
    add("--proof-s", default="20", help="seconds for the child that tries the model (%(default)s)")
    add("--cache", default=_default_cache(), help="the folder for models from S3 (%(default)s)")
    add("--fetch-s", default="90", help="seconds for a model to come from S3, with all retries (%(default)s)")
    add("--max-model-mb", default="1024", help="the largest model that is fetched, in MiB (%(default)s)")
    return parser


def _default_cache() -> str:
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (pathlib is 6 ms)
    return f"{caches}/ensemble-mesh/models"


def _refuse(faults: Sequence[str]) -> NoReturn:
    for fault in faults:
        print(f"model_worker: {fault}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("must be a DNS label: 1 to 63 lower-case letters, digits and inner hyphens")
    return text


def _present(text: str) -> str:
    if not text:
        raise ValueError("must name the model's file")
    return text


def _digest(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("must be 64 hex digits")
    return text.lower() if text else None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return check


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 3600:
        raise ValueError("must be a number of seconds, more than 0 and at most 3600")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _label,
    "uri": _present,
    "sha256": _digest,
    "port": _whole(0, 65535),
    "metrics_port": _whole(0, 65535),
    "max_batch_rows": _whole(1, 1_000_000),
    "max_queue_rows": _whole(1, 100_000_000),
    "num_threads": _whole(1, 256),
    "engine": _one_of("auto", "lightgbm"),
    "loop": _one_of("uvloop", "asyncio"),
    "nice": _whole(0, 19),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "drain_s": _seconds,
    "proof_memory_mb": _whole(256, 1_000_000),
    "proof_s": _seconds,
    "fetch_s": _seconds,
    "max_model_mb": _whole(1, 1_000_000),
}
