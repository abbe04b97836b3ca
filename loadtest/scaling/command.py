"""`python -m loadtest scaling`: measures the CPU of a replica by replicas and rate, and compares with the simulator."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from rich.console import Console

from autoscaling import capacity_profile
from loadtest import interruption
from loadtest.measurement import machine
from loadtest.options import add_context, add_output, positive_float, positive_int
from loadtest.player_store import question_of
from loadtest.report import publish
from loadtest.scaling.measure import Plan, Use, measure
from loadtest.scaling.report import Comparison, report_of
from loadtest.scaling.simulate import simulated_use
from mesh.catalog import catalog as catalogs

MEASURED, NOT_FULL = 0, 1
LEAST_FULL = 0.99


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 too few answers were full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--catalog", type=Path, default=Path("examples/dragonfall/mesh.yaml"), help="catalog (default %(default)s)")
    profile_help = "costs of all models, from `python -m loadtest profile --all` on this machine (default %(default)s)"
    add("--profile", type=Path, default=Path("build/profile.json"), help=profile_help)
    replicas_help = "replicas of each model, comma-separated (default 1,2,4,6)"
    add("--replicas", type=_replicas, default=(1, 2, 4, 6), metavar="N,...", help=replicas_help)
    rates_help = "requests per second, comma-separated (default 40,150,400)"
    add("--rates", type=_rates, default=(40.0, 150.0, 400.0), metavar="RATE,...", help=rates_help)
    add("--seconds", type=positive_float, default=10.0, help="measured time of each rate (default %(default)s)")
    add("--seed", type=int, default=0, help="seed of arrivals and players (default %(default)s)")
    add_context(parser)
    add_output(parser, Path("build/scaling.json"))


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    stderr = Console(stderr=True, highlight=False)
    catalog, profile = catalogs.load(options.catalog), capacity_profile.load(options.profile)
    question = question_of(catalog, "", dict(options.context))
    plan = Plan(options.catalog, options.replicas, options.rates, options.seconds, options.seed)
    for rate_rps in options.rates:
        simulated_use(catalog, profile, rate_rps, 1, 1.0)  # faults of the profile are reported before the measurement
    with tempfile.TemporaryDirectory(prefix="loadtest-scaling-") as logs:
        uses = interruption.run(measure(plan, question, Path(logs), lambda line: stderr.print(line, markup=False)))
    found = [
        Comparison(use, simulated_use(catalog, profile, use.requests_rps, use.replicas, _cores_left(use)))
        for use in uses
    ]
    publish(report_of(found, machine.described()), options)
    return _exit_code(uses, stderr)


def _cores_left(use: Use) -> float:
    """The cores of this machine that the load generator leaves for the mesh."""
    return len(os.sched_getaffinity(0)) - use.generator


def _exit_code(uses: list[Use], stderr: Console) -> int:
    poor = [use for use in uses if use.full < LEAST_FULL]
    for use in poor:
        line = (
            f"fault: {use.replicas} replicas, {use.rate_rps:g} per second: only {use.full:.1%} of the answers were full"
        )
        stderr.print(line, style="red", markup=False)
    return NOT_FULL if poor else MEASURED


def _replicas(text: str) -> tuple[int, ...]:
    return tuple(positive_int(part) for part in text.split(","))


def _rates(text: str) -> tuple[float, ...]:
    return tuple(positive_float(part) for part in text.split(","))
