"""`mesh status`: the panel, lanes, cohorts and rates of a running mesh, live."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import time
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from mesh.cli.console import stdout
from mesh.cli.metrics_page import fetch
from mesh.cli.status.mesh_status import Looks, MeshStatus, status
from mesh.cli.status.tables import tables
from mesh.errors import Unavailable

PERIOD_S = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Shows the mesh each second until Ctrl-C, or once; raises Unavailable when there is none to begin with."""
    looks = itertools.islice(_looks(arguments.metrics), 1 if arguments.once else None)
    console = stdout()
    try:
        if console.is_terminal and not arguments.once and not arguments.json:
            _show_live(console, looks)
        else:
            for look in looks:
                console.out(_as_json(look), highlight=False) if arguments.json else console.print(_shown(look))
    except KeyboardInterrupt:
        pass  # the way to end it
    return 0


def _show_live(console: Console, looks: Iterator[MeshStatus | Unavailable]) -> None:
    with Live(console=console, auto_refresh=False) as live:
        for one in looks:
            live.update(_shown(one), refresh=True)


def _as_json(look: MeshStatus | Unavailable) -> str:
    content = {"unavailable": look.reason} if isinstance(look, Unavailable) else dataclasses.asdict(look)
    return json.dumps(content)


def _shown(look: MeshStatus | Unavailable) -> RenderableType:
    return Text(look.reason) if isinstance(look, Unavailable) else tables(look)


def _looks(address: str) -> Iterator[MeshStatus | Unavailable]:
    """What the mesh does, second by second; Unavailable for a second in which there is no page."""
    before, before_s = fetch(address), time.monotonic()
    while True:
        time.sleep(PERIOD_S)
        try:
            after, after_s = fetch(address), time.monotonic()
        except Unavailable as error:
            yield error
            continue
        yield status(Looks(before, after, after_s - before_s))
        before, before_s = after, after_s
