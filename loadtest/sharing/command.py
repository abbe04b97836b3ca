"""`python -m loadtest sharing`: CPU of an answer with two versions that share 14 of 15 models, against one version."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.comparison import COMPARED, Comparison, table_of
from loadtest.measurement.in_turn import measure_loads, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_loads, add_output, add_rounds
from loadtest.report import Report
from loadtest.sharing.catalogs import SHARED, catalogs_of
from loadtest.workloads import W15

CALLERS = (16, 64)
MOST = 1.1  # CPU of an answer, relative to one version alone


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add_loads(parser, CALLERS, 4.0)
    add_rounds(parser, 5)
    add_output(parser, Path("build/sharing.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    folder = await prepared_folder(W15, plan)
    files = {}
    for name, catalog in catalogs_of(W15).items():
        files[name] = f"{name}.yaml"
        (folder / files[name]).write_text(yaml.safe_dump(catalog, sort_keys=False))
    async with meshes_up(W15, folder, plan, files) as systems:
        measuring = measure_loads(systems, W15, options.callers, options.rate, options.seconds, plan)
        return report_of([one async for one in measuring], machine.described())


def report_of(found: list[Comparison], machine: str) -> Report:
    """Returns the report."""
    rows = [one.row(name) for one in found for name in one.points]
    aims = [Aim(f"{one.load}: CPU of an answer, shared / alone", one.cpu_ratio(SHARED), MOST) for one in found]
    title = "CPU of an answer, workers and supervisor, to that of one version alone"
    return Report({"machine": machine, "rows": rows}, [table_of(title, COMPARED, rows)], aims)
