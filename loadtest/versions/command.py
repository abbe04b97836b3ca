"""`python -m loadtest versions`: changes the catalog of `mesh up` under load, and checks every answer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, plan_of
from loadtest.options import add_folder, positive_float
from loadtest.versions.steps import steps
from loadtest.versions.trial import try_steps
from loadtest.versions.verdict import COUNTED, Verdict, faults_of
from mesh.cli.console import stdout


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--rate-rps", type=positive_float, default=210.0, help="requests per second (default 210)")
    parser.add_argument("--seconds", type=positive_float, default=150.0, help="duration of the load (default 150)")
    parser.set_defaults(rounds=1)
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON instead of the table")
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 no faults, 1 faults, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, stderr, findings)
    plan.progress(machine.described())
    changes = steps()
    found = interruption.run(try_steps(changes, plan, options.rate_rps, options.seconds))
    if options.json:
        print(json.dumps([asdict(verdict) for verdict in found]))
    else:
        stdout().print(_table(found, options.rate_rps))
    for verdict, is_refused in zip(found, (False, *(step.is_refused for step in changes)), strict=True):
        for fault in faults_of(verdict, found[0], is_refused):
            plan.fault(f"{verdict.name}: {fault}")
    return findings.print(stderr)


def _table(found: Sequence[Verdict], rate_rps: float) -> Table:
    total = sum(verdict.answers for verdict in found)
    table = Table(title=f"Changes of the catalog at {rate_rps:g} requests per second, {total:,} answers")
    table.add_column("change")
    for column in ("answers", "full", "partial", *COUNTED, "first new s", "last old s"):
        table.add_column(column, justify="right")
    for one in found:
        counts = (one.answers, *(one.classes.get(kind, 0) for kind in ("full", "partial", *COUNTED)))
        table.add_row(one.name, *map(str, counts), _seconds(one.first_s), _seconds(one.last_s))
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
