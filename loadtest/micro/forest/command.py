"""`python -m loadtest forest`: compares our engine with LightGBM: CPU per row, start, memory, and every score."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.micro.forest import results
from loadtest.micro.forest.cases import candidate_cases, categorical_case, row_cases
from loadtest.micro.forest.engines import Libraries, find_libraries, load_pairs
from loadtest.micro.forest.memory import Memory, measure_memory
from loadtest.micro.forest.results import Results
from loadtest.micro.forest.scoring import ScoreCheck, measure_scoring, pinned
from loadtest.micro.forest.start import measure_loading, measure_start
from loadtest.options import add_folder, add_output, add_rounds
from loadtest.report import publish
from loadtest.workload_files import train
from loadtest.workloads import W15, Forests

CATEGORICAL = Forests("categorical-forests", 5, codes=(50, 100))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_rounds(parser, 7)
    add_output(parser, Path("build/forest.json"))
    add_folder(parser)
    parser.set_defaults(seconds=None)  # the amount of work is fixed


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 a score differs, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    libraries = find_libraries()
    measured = measure(plan_of(options, stderr, findings), libraries, W15.forests, CATEGORICAL)
    publish(results.report(measured, machine.described()), options)
    return findings.print(stderr)


def measure(plan: Plan, libraries: Libraries, numeric: Forests, categorical: Forests) -> Results:
    """Trains the missing models, then measures; a score that differs from LightGBM's is a fault."""
    plan.progress(machine.described())
    files, categorical_files = (_files(forests, plan) for forests in (numeric, categorical))
    memory = interruption.run(_memory(plan, libraries, files[0]))
    check = ScoreCheck()
    with pinned() as core:
        plan.progress(f"on core {core}")
        pairs = load_pairs(libraries, files)
        cases = [*row_cases(pairs), *candidate_cases(pairs)]
        cases.append(categorical_case(load_pairs(libraries, categorical_files), categorical.codes))
        costs = measure_scoring(cases, plan.rounds, check, plan.progress)
        loading = measure_loading(libraries, files, plan.rounds)
    plan.progress("proof, load and warm-up")
    start, start_lightgbm = measure_start(libraries, files[0], plan.rounds)
    for case, count in check.different.items():
        plan.fault(f"{case}: {count} scores differ from LightGBM's")
    return Results(costs, check, loading, start, start_lightgbm, memory)


def _files(forests: Forests, plan: Plan) -> Sequence[Path]:
    train(forests, plan.folder / forests.name, plan.progress)
    return [plan.folder / forests.name / f"{number:02d}.txt" for number in range(forests.count)]


async def _memory(plan: Plan, libraries: Libraries, file: Path) -> Memory:
    await plan.begin("memory")
    if "lightgbm" in sys.modules:
        plan.doubt(
            "memory: this run trained models and shares part of LightGBM's library, which is not counted; run it again"
        )
    return await measure_memory(libraries, file, plan.rounds, plan.logs)
