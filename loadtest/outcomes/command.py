"""`python -m loadtest outcomes`: latencies and full answers beside reports of outcomes, against those without."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import SETTLE_S
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.outcomes.report import report_of
from loadtest.outcomes.trial import CATALOG, Trial, write_catalog
from loadtest.peers import mesh
from loadtest.report import Report
from loadtest.run.question import WORKLOADS, find_knee, setting_of
from loadtest.workloads import W15


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add("--workload", choices=WORKLOADS, default=W15.game, help="models and candidates (default %(default)s)")
    add("--knee", type=positive_float, metavar="RATE", help="knee in requests per second, instead of the search")
    add("--slo-ms", type=positive_float, default=50.0, help="highest p99 for the search (default %(default)s)")
    add("--factor", type=positive_float, default=0.5, help="multiple of the knee (default %(default)s)")
    add("--seconds", type=positive_float, default=10.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 3)
    add_output(parser, Path("build/outcomes.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 answers failed, 2 not measured, 130 interrupted."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    ensemble = WORKLOADS[options.workload]
    folder = await prepared_folder(ensemble, plan)
    write_catalog(ensemble, folder)
    async with mesh.up(folder, plan.logs, catalog=CATALOG) as ready:
        await mesh.first_full_answer(ready["address"], ensemble)
        await asyncio.sleep(SETTLE_S)
        setting = setting_of(ensemble, ready["address"])
        knee_rps = options.knee or await find_knee(ensemble, setting, options.slo_ms, plan.progress)
        rps = options.factor * knee_rps
        trial = Trial(ensemble, setting, ready, plan.logs, plan.progress)
        await plan.begin(f"{rps:,.0f} requests per second, {options.factor:g} of the knee")
        runs = await trial.measure(rps, options.seconds, options.rounds)
    for one in runs:
        bad = {name: count for name, count in one.summary.classes.items() if count and name in ("error", "wrong")}
        if bad:
            counts = ", ".join(f"{count} {name}" for name, count in bad.items())
            plan.fault(f"outcomes: {one.load.name}: of {one.summary.requests} answers: {counts}")
    return report_of(runs, rps, machine.described())
