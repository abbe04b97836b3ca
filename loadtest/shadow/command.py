"""`python -m loadtest shadow`: latencies and full answers with a shadow of all requests, against those without."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import SETTLE_S
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_floats
from loadtest.peers import mesh
from loadtest.report import Report
from loadtest.run.question import WORKLOADS, find_knee, setting_of
from loadtest.shadow.report import report_of
from loadtest.shadow.trial import CATALOG, Run, Trial, write_catalog
from loadtest.workloads import W15

FACTORS = (0.5, 1.6, 2.5)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add("--workload", choices=WORKLOADS, default=W15.game, help="models and candidates (default %(default)s)")
    add("--knee", type=positive_float, metavar="RATE", help="knee in requests per second, instead of the search")
    add("--slo-ms", type=positive_float, default=50.0, help="highest p99 for the search (default %(default)s)")
    factors_help = "multiples of the knee (default 0.5,1.6,2.5)"
    add("--factors", type=positive_floats, default=FACTORS, metavar="X,...", help=factors_help)
    add("--seconds", type=positive_float, default=10.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 3)
    add_output(parser, Path("build/shadow.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 answers failed, 2 not measured, 130 interrupted."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    ensemble = WORKLOADS[options.workload]
    folder = await prepared_folder(ensemble, plan)
    write_catalog(ensemble, folder, 0)
    async with mesh.up(folder, plan.logs, catalog=CATALOG) as ready:
        await mesh.first_full_answer(ready["address"], ensemble)
        await asyncio.sleep(SETTLE_S)
        setting = setting_of(ensemble, ready["address"])
        knee_rps = options.knee or await find_knee(ensemble, setting, options.slo_ms, plan.progress)
        trial = Trial(ensemble, folder, setting, ready, knee_rps, plan.progress)
        await plan.begin(f"knee {knee_rps:,.0f} per second")
        runs = [
            one for factor in options.factors for one in await trial.measure(factor, options.seconds, options.rounds)
        ]
    for one in runs:
        _report_failures(one, plan)
    return report_of(runs, knee_rps, machine.described())


def _report_failures(run: Run, plan: Plan) -> None:
    """Reports failed calls, and below the knee every answer that is not full."""
    bad = {name: count for name, count in run.summary.classes.items() if count and name not in ("full", "unsent")}
    if run.factor >= 1:
        bad = {name: count for name, count in bad.items() if name in ("error", "wrong")}
    if bad:
        counts = ", ".join(f"{count} {name}" for name, count in bad.items())
        plan.fault(f"{run.factor:g} x knee, shadow {run.share:g} %: of {run.summary.requests} answers: {counts}")
