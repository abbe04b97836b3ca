"""`python -m loadtest tls`: rate and CPU of answers of a mesh with TLS on every connection, against one without."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import measure_rounds, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.report import Report
from loadtest.run.question import WORKLOADS
from loadtest.tls_cost.report import PLAINTEXT, TLS, Comparison, report_of
from loadtest.workloads import W15

CALLERS = (64, 256)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], default=W15.game, help="models and candidates (default %(default)s)")
    add("--callers", type=positive_ints, default=CALLERS, metavar="N,...", help="callers (default 64,256)")
    add("--replicas", type=positive_ints, default=[1], metavar="N,...", help="replicas of each model (default 1)")
    add("--seconds", type=positive_float, default=6.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 5)
    add_output(parser, Path("build/tls.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    ensemble = WORKLOADS[options.workload]
    folder = await prepared_folder(ensemble, plan)
    found = []
    for replicas in options.replicas:
        label, files = f"{replicas} replicas, ", dict.fromkeys((PLAINTEXT, TLS), "mesh.yaml")
        async with meshes_up(ensemble, folder, plan, files, label, replicas=replicas, with_tls=(TLS,)) as systems:
            for callers in options.callers:
                await plan.begin(f"{ensemble.game}, {label}{callers} callers")
                points = await measure_rounds(systems, ensemble, callers, options.seconds, plan, label)
                found.append(Comparison(ensemble.game, replicas, callers, points[PLAINTEXT], points[TLS]))
    return report_of(found, machine.described())
