"""`mesh top`: shows a running mesh in the terminal, or prints its view."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from mesh.cli.console import stdout
from mesh.cli.main import DONE, FAILED
from mesh.cli.metrics_page import TIMEOUT_S
from mesh.cli.top.controls import Controls
from mesh.cli.top.live import show
from mesh.cli.top.scrapes import PERIOD_S, Scraper, scraping, source
from mesh.cli.top.screen import whole
from mesh.cli.top.terminal import Ended, Terminal
from mesh.cli.top.view import MeshView, view
from mesh.errors import Unavailable
from mesh.tls.channel import metrics_security

_START_S = PERIOD_S + 2 * TIMEOUT_S  # two readings, and the time until a silent supervisor is given up


def run(arguments: argparse.Namespace) -> int:
    """Shows the mesh until q or Ctrl-C, or once. Raises Unavailable if no supervisor answers at the start."""
    scrapers = [
        Scraper(address, source(address, metrics_security(address, vars(arguments), os.environ)))
        for address in arguments.metrics
    ]
    try:
        with scraping(scrapers):
            _wait_first(scrapers)
            return _run(arguments, lambda: view([one.latest() for one in scrapers], time.time(), arguments.filter))
    except KeyboardInterrupt:
        return DONE  # the normal end of the command
    except Ended as ended:
        if ended.number is None:  # nobody sees the terminal any more
            return FAILED
        signal.signal(ended.number, signal.SIG_DFL)
        os.kill(os.getpid(), ended.number)
        return FAILED


def _wait_first(scrapers: list[Scraper]) -> None:
    until_s = time.monotonic() + _START_S
    for scraper in scrapers:
        scraper.wait_first(until_s)
    found = [scraper.latest() for scraper in scrapers]
    if all(one.span is None for one in found):
        raise Unavailable("; ".join(one.fault or f"no metrics from {one.address}" for one in found))


def _run(arguments: argparse.Namespace, current: Callable[[], MeshView]) -> int:
    console = stdout()
    controls = Controls(sort=arguments.sort)
    if not (arguments.once or arguments.json) and console.is_terminal and not console.is_dumb_terminal:
        keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        with Terminal(keys, sys.stdout.fileno()) as terminal:
            show(terminal, current, controls, PERIOD_S)
        return DONE
    while True:
        found = current()
        if arguments.json:
            console.out(json.dumps(dataclasses.asdict(found)), highlight=False)
        else:
            for line in whole(found, controls, console.width, time.strftime("%H:%M:%S")):
                console.print(line, soft_wrap=True)
        if arguments.once:
            return DONE
        time.sleep(PERIOD_S)
