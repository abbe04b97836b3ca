"""`mesh status`: shows the answers, latencies, lanes and cohorts of a running mesh."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from mesh.cli.console import stdout
from mesh.cli.main import DONE
from mesh.cli.metrics_page import fetch
from mesh.cli.status.interval import Interval
from mesh.cli.status.mesh_status import MeshStatus, filtered, status
from mesh.cli.status.tables import tables
from mesh.errors import Unavailable
from mesh.tls.channel import ClientSecurity, metrics_security

PERIOD_S = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Shows the status every second until Ctrl-C, or once. Raises Unavailable if there is no mesh at the start."""
    security = metrics_security(arguments.metrics, vars(arguments), os.environ)
    statuses = itertools.islice(_statuses(arguments.metrics, security, arguments.filter), 1 if arguments.once else None)
    console = stdout()
    try:
        if console.is_terminal and not arguments.once and not arguments.json:
            _show_live(console, statuses)
        else:
            for one in statuses:
                if arguments.json:
                    console.out(_as_json(one), highlight=False)
                else:
                    console.print(_as_tables(one, console.width))
    except KeyboardInterrupt:
        pass  # the normal end of the command
    return DONE


def _show_live(console: Console, statuses: Iterator[MeshStatus | Unavailable]) -> None:
    with Live(console=console, auto_refresh=False) as live:
        for one in statuses:
            live.update(_as_tables(one, console.width, console.height), refresh=True)


def _as_json(one: MeshStatus | Unavailable) -> str:
    content = {"unavailable": one.reason} if isinstance(one, Unavailable) else dataclasses.asdict(one)
    return json.dumps(content)


def _as_tables(one: MeshStatus | Unavailable, width: int, height: int | None = None) -> RenderableType:
    return Text(one.reason) if isinstance(one, Unavailable) else tables(one, width, height)


def _statuses(address: str, security: ClientSecurity, text: str) -> Iterator[MeshStatus | Unavailable]:
    """Yields the status of each period; Unavailable for a period in which the metrics cannot be read."""
    before, before_s = fetch(address, security), time.monotonic()
    while True:
        time.sleep(PERIOD_S)
        try:
            after, after_s = fetch(address, security), time.monotonic()
        except Unavailable as error:
            yield error
            continue
        yield filtered(status(Interval(before, after, after_s - before_s)), text)
        before, before_s = after, after_s
