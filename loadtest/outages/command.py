"""`python -m loadtest outages`: makes the player store fail in every way, and checks every answer of the mesh."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, plan_of
from loadtest.options import add_folder, positive_float
from loadtest.outages.kinds import KINDS
from loadtest.outages.trial import RATE_RPS, Phases, try_all
from loadtest.outages.verdict import Verdict, faults_of
from mesh.cli.console import stdout


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    faults = sorted({kind.fault.kind for kind in KINDS.values()})
    parser.add_argument("--only", choices=faults, help="run one kind of fault only")
    parser.add_argument("--seconds", type=positive_float, default=30.0, help="duration of each outage (default 30)")
    parser.set_defaults(rounds=1)
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON instead of the table")
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 no faults, 1 faults, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, stderr, findings)
    plan.progress(machine.described())
    kinds = {name: kind for name, kind in KINDS.items() if options.only in (None, kind.fault.kind)}
    verdicts = interruption.run(try_all(kinds, plan, Phases(outage_s=options.seconds)))
    if options.json:
        print(json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()}))
    else:
        stdout().print(_table(verdicts))
    for name, verdict in verdicts.items():
        for fault in faults_of(verdict, throttled=name == "throttled"):
            plan.fault(f"{name}: {fault}")
    return findings.print(stderr)


def _table(verdicts: Mapping[str, Verdict]) -> Table:
    table = Table(title=f"Outages of the player store at {RATE_RPS:g} requests per second")
    table.add_column("outage")
    columns = ("answers", "errors", "late", "fresh", "stale", "fallback", "wrong", "recovery s", "store requests")
    for column in columns:
        table.add_column(column, justify="right")
    for name, one in verdicts.items():
        counts = (one.answers, sum(one.errors.values()), one.late, one.fresh, one.stale, one.fallback, len(one.untrue))
        table.add_row(name, *map(str, counts), f"{one.recovery_s:.2f}", f"{one.requests_share:.2f}x")
    return table
