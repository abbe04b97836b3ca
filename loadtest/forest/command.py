"""`python -m loadtest forest`: our engine beside LightGBM: CPU of a row, start, memory; all scores are compared."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from loadtest import documents, interruption, machine, plan
from loadtest.forest import report
from loadtest.forest.cases import candidate_cases, categorical_case, row_cases
from loadtest.forest.engines import Libraries, find_libraries, load_pairs
from loadtest.forest.memory import Memory, measure_memory
from loadtest.forest.scoring import Comparison, measure_scoring, pinned
from loadtest.forest.starting import measure_loading, measure_start
from loadtest.options import positive_int
from loadtest.plan import Plan, plan_of
from loadtest.training import train
from loadtest.workloads import W15, Forests
from mesh.cli.console import stdout

MEASURED, FAULTY = 0, 1
CATEGORICAL = Forests("categorical-forests", 5, codes=(50, 100))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--rounds", type=positive_int, default=7, help="medians are over so many (default 7)")
    parser.add_argument("--json", action="store_true", help="the document on stdout instead of the tables")
    parser.add_argument("--out", type=Path, default=Path("build/forest.json"), help="where the document goes")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")
    parser.set_defaults(seconds=None)  # what is measured here ends by itself


def run(options: argparse.Namespace) -> int:
    """Measures; the exit code is 0 measured, 1 a score was not LightGBM's, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    findings = plan.Findings()
    libraries = find_libraries()
    found = measure(plan_of(options, said, findings), libraries, W15.forests, CATEGORICAL)
    told = report.document(found, machine.described())
    documents.write(options.out, told)
    if options.json:
        print(json.dumps(told))
    else:
        report.print_findings(stdout(), found)
    findings.tell(said)
    return FAULTY if findings.faults else MEASURED


def measure(plan: Plan, libraries: Libraries, numeric: Forests, categorical: Forests) -> report.Findings:
    """Trains what is not there yet, then measures; a score that is not LightGBM's is a fault."""
    plan.progress(machine.described())
    files, categorical_files = (_files(forests, plan) for forests in (numeric, categorical))
    memory = interruption.run(_memory(plan, libraries, files[0]))
    comparison = Comparison()
    with pinned() as core:
        plan.progress(f"on core {core}")
        pairs = load_pairs(libraries, files)
        cases = [*row_cases(pairs), *candidate_cases(pairs)]
        cases.append(categorical_case(load_pairs(libraries, categorical_files), categorical.codes))
        costs = measure_scoring(cases, plan.rounds, comparison, plan.progress)
        loading = measure_loading(libraries, files, plan.rounds)
    plan.progress("proof, load and warm-up")
    start, trial = measure_start(libraries, files[0], plan.rounds)
    for what, count in comparison.different.items():
        plan.fault(f"{what}: {count} scores are not LightGBM's")
    return report.Findings(costs, comparison, loading, start, trial, memory)


def _files(forests: Forests, plan: Plan) -> Sequence[Path]:
    train(forests, plan.folder / forests.name, plan.progress)
    return [plan.folder / forests.name / f"{number:02d}.txt" for number in range(forests.count)]


async def _memory(plan: Plan, libraries: Libraries, file: Path) -> Memory:
    await plan.begin("memory")
    if "lightgbm" in sys.modules:
        plan.doubt(
            "memory: models were trained in this run, so part of LightGBM's library is not counted; run it again"
        )
    return await measure_memory(libraries, file, plan.rounds, plan.logs)
