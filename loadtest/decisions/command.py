"""`python -m loadtest decisions`: CPU and rate of answers with the decision log, against those without it."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.decisions.catalogs import DEAD, OFF, ON, write_catalogs
from loadtest.decisions.log_metrics import read_log_state
from loadtest.decisions.report import Pair, report_of
from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import measure_rounds, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.report import Report
from loadtest.run.question import WORKLOADS
from loadtest.workloads import TrainedEnsemble

CALLERS = (64, 256)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], action="append", help="models and candidates; repeatable (default: both)")
    add("--callers", type=positive_ints, default=CALLERS, metavar="N,...", help="callers (default 64,256)")
    add("--sink", choices=[ON, DEAD], default=ON, help="dead: the folder of the log cannot be written (default on)")
    add("--seconds", type=positive_float, default=6.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 5)
    add_output(parser, Path("build/decisions.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    found: list[Pair] = []
    for name in options.workload or WORKLOADS:
        found += await _workload(WORKLOADS[name], options, plan)
    return report_of(found, options.sink, machine.described())


async def _workload(ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan) -> list[Pair]:
    folder = await prepared_folder(ensemble, plan)
    files = write_catalogs(ensemble, folder, (OFF, options.sink))
    points: dict[int, dict[str, tuple[Point, ...]]] = {}
    async with meshes_up(ensemble, folder, plan, files, f"{ensemble.game}, log ") as systems:
        for callers in options.callers:
            await plan.begin(f"{ensemble.game}, {callers} callers")
            points[callers] = await measure_rounds(systems, ensemble, callers, options.seconds, plan, "log ")
        state = await read_log_state(systems[options.sink].metrics_address)
    return [Pair(ensemble.game, callers, of[OFF], of[options.sink], state) for callers, of in points.items()]
