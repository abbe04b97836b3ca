"""`python -m loadtest fairness`: polite callers with and without a caller that floods, and a critical caller."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.fairness.mesh import mesh_with_callers
from loadtest.fairness.report import report_of
from loadtest.fairness.trial import CALLERS, Run, phases, run_phase
from loadtest.measurement import machine
from loadtest.measurement.command import run_measurement
from loadtest.measurement.plan import Plan
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.report import Report
from loadtest.workloads import S15

# The mean service time of the simulated models is a little more than their median.
CAPACITY_RPS = 120.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add(
        "--times",
        type=positive_float,
        default=100.0,
        help="rate of the flood, as a multiple of the fair share of one caller (default 100)",
    )
    add(
        "--polite",
        type=positive_float,
        default=0.54,
        help="fraction of the capacity that the polite callers use (default 0.54)",
    )
    add("--seconds", type=positive_float, default=15.0, help="duration of each phase (default %(default)s)")
    add_rounds(parser, 2)
    add_output(parser, Path("build/fairness.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 polite answers failed, 2 not measured, 130 interrupted."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    folder = plan.folder / "fairness"
    folder.mkdir(exist_ok=True)
    runs: list[Run] = []
    async with mesh_with_callers(S15, CALLERS, folder, plan.logs, seed=1) as mesh:
        for number in range(options.rounds):
            await plan.begin(f"round {number + 1} of {options.rounds}")
            for phase in phases(CAPACITY_RPS, options.polite, options.times):
                runs.append(await run_phase(mesh, S15, phase, options.seconds, number))
                plan.progress(f"  {phase.name}: {dict(runs[-1].watched)}, p99 {runs[-1].p99_ms:.0f} ms")
                for failure, count in runs[-1].failures.most_common(3):
                    plan.progress(f"    {count} {failure}")
    for one in runs:
        bad = {kind: count for kind, count in one.watched.items() if kind in ("error", "wrong", "unsent")}
        if bad:
            plan.fault(f"{one.phase.name}: of {one.watched.total()} answers: {bad}")
    return report_of(runs, machine.described())
