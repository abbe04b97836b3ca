"""The supervisor's settings, read once; all faults are reported together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import Misconfigured
from mesh.serving import LoopKind


@dataclass(frozen=True, slots=True)
class Settings:
    """What one supervisor process is told on its command line."""

    catalogs: tuple[Path, ...]
    endpoints: Path | None
    host: str
    port: int
    metrics_host: str
    metrics_port: int
    max_waiting: int
    drain_s: float
    loop: LoopKind
    log_level: str
    follow_parent: bool


def parse(arguments: Sequence[str]) -> Settings:
    """Reads the command line; raises Misconfigured with every value that is out of range."""
    options = _parser().parse_args(arguments)
    faults = [
        f"--{name.replace('_', '-')}: is {getattr(options, name)}; give a number from 0 to 65535"
        for name in ("port", "metrics_port")
        if not 0 <= getattr(options, name) <= 65535
    ]
    if options.max_waiting < 1:
        faults.append(f"--max-waiting: is {options.max_waiting}; give at least 1")
    if not 0 <= options.drain_s <= 600:
        faults.append(f"--drain-s: is {options.drain_s}; give seconds from 0 to 600")
    if faults:
        raise Misconfigured(faults)
    return Settings(tuple(options.catalog), **{k: v for k, v in vars(options).items() if k != "catalog"})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("supervisor", description="Answers Offers for the games of its catalogs.")
    add = parser.add_argument
    add("--catalog", type=Path, action="append", required=True, metavar="FILE", help="one a game; may be repeated")
    add("--endpoints", type=Path, metavar="FILE", help="where the replicas are; watched (default: none are known)")
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add("--port", type=int, default=0, help="0: the system picks one (default: %(default)s)")
    add("--metrics-host", default="127.0.0.1", help="where to serve metrics (default: %(default)s)")
    add("--metrics-port", type=int, default=0, help="0: the system picks one (default: %(default)s)")
    add("--max-waiting", type=int, default=2048, help="requests that may wait for a cohort (default: %(default)s)")
    add("--drain-s", type=float, default=5.0, help="time for the last answers at the end (default: %(default)s)")
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop (default: %(default)s)")
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    add("--follow-parent", action="store_true", help="end when the process that started this one ends")
    return parser
