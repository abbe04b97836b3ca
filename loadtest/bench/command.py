"""`python -m loadtest bench`: W15 beside the monolith and S15 beside its limit, with medians of rounds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import get_args

from rich.console import Console

from loadtest import documents, interruption, machine
from loadtest.bench import aims, report
from loadtest.bench.results import Simulated, Trained, document
from loadtest.bench.simulated import measure_simulated
from loadtest.bench.trained import measure_trained
from loadtest.options import positive_float, positive_int
from loadtest.peers import mesh
from loadtest.plan import Findings, Plan, plan_of
from loadtest.training import prepare
from loadtest.workloads import S15, W15
from mesh.cli.console import stdout

MEASURED, FAULTY = 0, 1


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, said, findings)
    if options.only != "s15":
        prepare(W15, plan.folder, plan.progress)
    w15, s15 = interruption.run(_measure(plan, options.only, options.engine))
    documents.write(options.out, document(w15, s15))
    if options.json:
        print(json.dumps(document(w15, s15)))
    else:
        _print(stdout(), w15, s15)
    findings.tell(said)
    return FAULTY if findings.faults else MEASURED


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--only", choices=["w15", "s15"], help="one workload instead of both")
    engines = get_args(mesh.Engine)
    parser.add_argument("--engine", choices=engines, help="what the mesh's workers score with (default: they choose)")
    parser.add_argument("--rounds", type=positive_int, default=3, help="medians are over so many (default 3)")
    parser.add_argument("--seconds", type=positive_float, help="of one measurement (default: W15 4, S15 22)")
    parser.add_argument("--json", action="store_true", help="the document on stdout instead of the tables")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="where the document goes")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")


async def _measure(plan: Plan, only: str | None, engine: mesh.Engine | None) -> tuple[Trained | None, Simulated | None]:
    plan.progress(machine.described())
    w15 = await measure_trained(W15, plan, engine) if only != "s15" else None
    s15 = await measure_simulated(S15, plan) if only != "w15" else None
    return w15, s15


def _print(console: Console, w15: Trained | None, s15: Simulated | None) -> None:
    reached: list[aims.Aim] = []
    if w15 is not None:
        report.print_trained(console, w15)
        reached += aims.trained_aims(w15)
    if s15 is not None:
        report.print_simulated(console, s15)
        reached += aims.simulated_aims(s15)
    report.print_aims(console, reached)
