"""`python -m loadtest tracing`: CPU and rate of answers with traces, against those without them.

Two of the three meshes are without traces: the difference between them is the noise of the measurement.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import measure_loads, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_loads, add_output, add_rounds, positive_float
from loadtest.report import Report
from loadtest.run.question import WORKLOADS
from loadtest.tracing.collector import collecting
from loadtest.tracing.report import AGAIN, OFF, ON, Traced, report_of
from loadtest.workloads import TrainedEnsemble

CALLERS = (64, 256)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], action="append", help="models and candidates; repeatable (default: both)")
    add("--share", type=positive_float, default=1.0, metavar="PERCENT", help="of the ordinary traces (default 1)")
    add_loads(parser, CALLERS, 2.0)
    add_rounds(parser, 15)
    add_output(parser, Path("build/tracing.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    found: list[Traced] = []
    for name in options.workload or WORKLOADS:
        found += await _workload(WORKLOADS[name], options, plan)
    return report_of(found, options.share, machine.described())


async def _workload(ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan) -> list[Traced]:
    folder = await prepared_folder(ensemble, plan)
    files = dict.fromkeys((OFF, ON, AGAIN), "mesh.yaml")
    found = []
    async with collecting() as collector:
        traced = {ON: ("--trace-to", collector.address, "--trace-share", f"{options.share:g}")}
        async with meshes_up(ensemble, folder, plan, files, f"{ensemble.game}, traces ", options=traced) as systems:
            received_bytes = collector.received_bytes
            async for one in measure_loads(systems, ensemble, options.callers, options.rate, options.seconds, plan):
                found.append(Traced(one, collector.received_bytes - received_bytes))
                received_bytes = collector.received_bytes
    return found
