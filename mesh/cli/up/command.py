"""`mesh up`: runs games on this machine, with the same programs as in a cluster."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mesh.cli.main import DONE
from mesh.cli.up.catalog_news import catalog_news
from mesh.cli.up.certificates import make_certificates, without_asker
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.following import Following
from mesh.cli.up.lanes import lanes_are_up
from mesh.cli.up.plan import Options, replicas_of
from mesh.cli.up.report import TerminalReport
from mesh.cli.up.served_catalogs import load_served
from mesh.cli.up.signals import StopRequests, stop_signals
from mesh.errors import Misconfigured
from mesh.first_of import first_of
from mesh.port_check import listen_fault
from mesh.tracing.options import trace_words

READY_BUDGET_S = 120.0


def run(arguments: argparse.Namespace) -> int:
    """Runs the games of the catalogs until a signal; raises Misconfigured with all faults that prevent the start."""
    catalogs, refused_models = load_served(arguments.files)
    options = Options(
        arguments.host,
        arguments.port,
        arguments.metrics_port,
        arguments.loop,
        arguments.replicas,
        arguments.engine,
        trace_words=trace_words(arguments.trace_to, arguments.trace_share),
    )
    faults = list(port_faults(options))
    if faults:
        raise Misconfigured(faults)
    replicas = list(replicas_of(catalogs, options.replicas))
    report = TerminalReport(len(replicas), arguments.json)
    for fault in refused_models:
        report.say(fault)
    folder = Path(tempfile.mkdtemp(prefix="mesh-"))
    if arguments.tls:
        options = replace(options, certificates=make_certificates(folder / "tls", catalogs, options.host))
        for game in without_asker(catalogs):
            report.say(f"{game}: no certificate may ask for an offer; add `client.mesh` to the `names` of a caller")
    fleet = Fleet(arguments.files, replicas, options, folder, report)
    fleet.write_inputs(catalogs)
    following = Following(fleet, dict(zip(arguments.files, catalogs, strict=True)), options.replicas)
    try:
        asyncio.run(_run(fleet, following, report))
    finally:
        _clean_up(folder, fleet, report)
    if fleet.failure is not None:
        raise Misconfigured(list(fleet.failure))
    return DONE


async def _run(fleet: Fleet, following: Following, report: TerminalReport) -> None:
    with stop_signals() as stop:
        async with asyncio.TaskGroup() as group:
            fleet.start(group)
            if await _is_ready(fleet, report, stop):
                report.ready(fleet)
                endless = [group.create_task(work) for work in (_show_news(fleet, report), following.run())]
                await stop.drain.wait()
                for task in endless:
                    task.cancel()
            if stop.drain.is_set():
                report.say("draining" + ("; press Ctrl-C again to kill all processes" if stop.ctrl_c.is_set() else ""))
            await fleet.drain(stop.kill)


async def _show_news(fleet: Fleet, report: TerminalReport) -> None:
    async for message in catalog_news(fleet.supervisor.log):
        report.say(message)


async def _is_ready(fleet: Fleet, report: TerminalReport, stop: StopRequests) -> bool:
    """Waits until the processes are ready; False if the mesh has to end before."""
    with report.loading():
        first = await first_of(_ready(fleet), stop.drain.wait(), within_s=READY_BUDGET_S)
    if first is None:
        report.say(f"some processes are not ready after {READY_BUDGET_S:g} s; serving without them")
    return not stop.drain.is_set() and fleet.failure is None


async def _ready(fleet: Fleet) -> None:
    await fleet.settled()
    if fleet.failure is None:
        await lanes_are_up(fleet)


def port_faults(options: Options) -> Iterator[str]:
    """Yields the faults of the ports that the user chose."""
    if options.port and options.port == options.metrics_port:
        yield f"--port and --metrics-port are both {options.port}; give each its own"
    for option, port in (("--port", options.port), ("--metrics-port", options.metrics_port)):
        fault = listen_fault(options.host, port)
        if fault is not None:
            yield f"{option} {port} of {options.host}: {fault}; choose another port, or stop the program that uses it"


def _clean_up(folder: Path, fleet: Fleet, report: TerminalReport) -> None:
    """Removes the folder of the run; keeps it if a process failed, because the user may need the logs."""
    if fleet.troubled:
        report.say(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
