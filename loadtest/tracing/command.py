"""`python -m loadtest tracing`: CPU and rate of answers with traces, against those without them.

Two of the three meshes are without traces: the difference between them is the noise of the measurement.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import measure_rounds, measure_together, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.report import Report
from loadtest.run.question import WORKLOADS
from loadtest.tracing.collector import collecting
from loadtest.tracing.report import AGAIN, OFF, ON, Comparison, report_of
from loadtest.workload_files import prepare
from loadtest.workloads import TrainedEnsemble

CALLERS = (64, 256)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], action="append", help="models and candidates; repeatable (default: both)")
    add("--callers", type=positive_ints, default=CALLERS, metavar="N,...", help="callers (default 64,256)")
    add(
        "--rate",
        type=positive_float,
        metavar="RPS",
        help="load all meshes at the same time with so many requests a second each, instead of callers in turn",
    )
    add("--share", type=positive_float, default=1.0, metavar="PERCENT", help="of the ordinary traces (default 1)")
    add("--seconds", type=positive_float, default=6.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 5)
    add_output(parser, Path("build/tracing.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    found: list[Comparison] = []
    for name in options.workload or WORKLOADS:
        found += await _workload(WORKLOADS[name], options, plan)
    return report_of(found, options.share, machine.described())


async def _workload(ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan) -> list[Comparison]:
    prepare(ensemble, plan.folder, plan.progress)
    folder = plan.folder / ensemble.game
    await mesh.load_features(folder, plan.logs)
    files = dict.fromkeys((OFF, ON, AGAIN), "mesh.yaml")
    found = []
    async with collecting() as collector:
        traced = {ON: ("--trace-to", collector.address, "--trace-share", f"{options.share:g}")}
        async with meshes_up(ensemble, folder, plan, files, f"{ensemble.game}, traces ", options=traced) as systems:
            for load, measuring in _loads(systems, ensemble, options, plan):
                await plan.begin(f"{ensemble.game}, {load}")
                before_bytes = collector.received_bytes
                points = await measuring
                received_bytes = collector.received_bytes - before_bytes
                found.append(Comparison(ensemble.game, load, points, received_bytes))
    return found


def _loads(
    systems: Mapping[str, System], ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan
) -> Iterator[tuple[str, Awaitable[Mapping[str, Sequence[Point]]]]]:
    """Yields a description of each load, and what measures all rounds of it."""
    if options.rate is not None:
        measuring = measure_together(systems, ensemble, options.rate, options.seconds, plan)
        yield f"{options.rate:g} requests/s each", measuring
        return
    for callers in options.callers:
        yield f"{callers} callers", measure_rounds(systems, ensemble, callers, options.seconds, plan, "traces ")
