"""The options of traces, of both services.

This module imports only the standard library: a model worker reads its settings before it imports gRPC.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.address import HOST_AND_PORT
from mesh.settings import Check

DEFAULT_SHARE = 1.0


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """The collector that receives the spans, HOST:PORT, and the share of ordinary requests to keep, in percent."""

    to: str
    share: float = DEFAULT_SHARE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a service; `trace_options` reads their values."""
    group = parser.add_argument_group("traces (OpenTelemetry; default: none)")
    about = "collector that receives the spans, by OTLP over gRPC (needs the extra `tracing`)"
    group.add_argument("--trace-to", metavar="HOST:PORT", help=about)
    about = f"share of ordinary requests whose trace is kept, 0 to 100 (default: {DEFAULT_SHARE:g})"
    group.add_argument("--trace-share", default=f"{DEFAULT_SHARE:g}", metavar="PERCENT", help=about)


def trace_options(values: dict[str, Any]) -> TraceOptions | None:
    """Takes the options out of `values`, which are checked by `CHECKS`; None without traces."""
    to, share = values.pop("trace_to"), values.pop("trace_share")
    return None if to is None else TraceOptions(to, share)


def trace_words(to: str | None, share: str) -> tuple[str, ...]:
    """Returns the options of a service that `mesh up` starts."""
    return () if to is None else ("--trace-to", to, "--trace-share", share)


def _address(text: str) -> str:
    match = re.fullmatch(HOST_AND_PORT, text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError("must be HOST:PORT")
    return text


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError("must be a number from 0 to 100")
    return value


CHECKS: Mapping[str, Check] = {"trace_to": _address, "trace_share": _percent}
