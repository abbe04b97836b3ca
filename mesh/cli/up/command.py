"""`mesh up`: runs games on this machine, with the same programs as in a cluster."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mesh.cli.catalog.command import load_files
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.lanes import lanes_are_up
from mesh.cli.up.plan import Options, seats
from mesh.cli.up.report import TerminalReport
from mesh.cli.up.signals import Stop, stop_signals
from mesh.errors import Misconfigured
from mesh.first_of import first_of

READY_BUDGET_S = 120.0


def run(arguments: argparse.Namespace) -> int:
    """Runs the games of the catalogs until a signal; raises Misconfigured with all that keeps them from it."""
    catalogs = load_files(arguments.files)
    options = Options(
        arguments.host,
        arguments.port,
        arguments.metrics_port,
        arguments.loop,
        arguments.replicas,
        arguments.engine,
    )
    faults = list(port_faults(options))
    if faults:
        raise Misconfigured(faults)
    places = list(seats(catalogs, options.replicas))
    report = TerminalReport(len(places), arguments.json)
    folder = Path(tempfile.mkdtemp(prefix="mesh-"))
    fleet = Fleet(arguments.files, places, options, folder, report)
    try:
        asyncio.run(_run(fleet, report))
    finally:
        _leave(folder, fleet, report)
    if fleet.failure is not None:
        raise Misconfigured(list(fleet.failure))
    return 0


async def _run(fleet: Fleet, report: TerminalReport) -> None:
    with stop_signals() as stop:
        async with asyncio.TaskGroup() as group:
            fleet.start(group)
            if await _is_ready(fleet, report, stop):
                report.ready(fleet)
                await stop.asked.wait()
            if stop.asked.is_set():
                report.say("draining; a second Ctrl-C ends everything at once")
            await fleet.drain(stop.hurry)


async def _is_ready(fleet: Fleet, report: TerminalReport, stop: Stop) -> bool:
    """Waits until all that can run runs; False when it is to end before that."""
    with report.loading():
        first = await first_of(_ready(fleet), stop.asked.wait(), within_s=READY_BUDGET_S)
    if first is None:
        report.say(f"not everything is ready after {READY_BUDGET_S:g} s; serving with what there is")
    return not stop.asked.is_set() and fleet.failure is None


async def _ready(fleet: Fleet) -> None:
    await fleet.settled()
    if fleet.failure is None:
        await lanes_are_up(fleet)


def port_faults(options: Options) -> Iterator[str]:
    """What is wrong with the ports that the user chose."""
    if options.port and options.port == options.metrics_port:
        yield f"--port and --metrics-port are both {options.port}; give each its own"
    for flag, port in (("--port", options.port), ("--metrics-port", options.metrics_port)):
        reason = _reason_against(options.host, port)
        if reason is not None:
            yield f"{flag} {port} of {options.host}: {reason}; choose another, or end what listens there"


def _reason_against(host: str, port: int) -> str | None:
    """Why a server cannot listen there; None if it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _leave(folder: Path, fleet: Fleet, report: TerminalReport) -> None:
    """Removes the run's folder, unless somebody may want to read the logs in it."""
    if fleet.troubled:
        report.say(f"the logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
