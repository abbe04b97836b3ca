"""`python -m loadtest clients`: runs the client of each language through the same scenarios."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.clients.drivers import Driver, build, read_drivers
from loadtest.clients.scenarios import Scenario, read_scenarios
from loadtest.clients.trial import Trial, missed, try_client
from loadtest.errors import CannotMeasure
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.options import add_folder, add_output
from loadtest.report import Report, publish


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    languages, names = sorted(read_drivers()), sorted(read_scenarios())
    parser.add_argument("--client", action="append", choices=languages, help="only this client; repeatable")
    parser.add_argument("--scenario", action="append", choices=names, help="only this scenario; repeatable")
    parser.set_defaults(rounds=1, seconds=None)
    add_output(parser, Path("build/clients.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 all as expected, 1 not, 2 not measured, 130 interrupted."""
    stderr, findings = Console(stderr=True, highlight=False), Findings()
    plan = plan_of(options, stderr, findings)
    scenarios = {
        name: one for name, one in read_scenarios().items() if options.scenario is None or name in options.scenario
    }
    clients = _available(options.client, plan)
    trials = interruption.run(_try_all(clients, scenarios, plan))
    for trial in trials:
        for line in missed(trial, scenarios[trial.scenario]):
            plan.fault(f"{trial.language}: {trial.scenario}: {line}")
    document = {"machine": machine.described(), "trials": [asdict(trial) for trial in trials]}
    publish(Report(document, [_table(trials)]), options)
    return findings.print(stderr)


def _available(wanted: Sequence[str] | None, plan: Plan) -> dict[str, Driver]:
    """Returns the clients whose tools are installed; reports the others."""
    found = {}
    for language, driver in read_drivers().items():
        if wanted is not None and language not in wanted:
            continue
        if driver.missing:
            plan.progress(f"{language}: skipped, because {' and '.join(driver.missing)} is not installed")
        else:
            found[language] = driver
    if not found:
        raise CannotMeasure("no client can be built here; install the tools of a language")
    return found


async def _try_all(clients: dict[str, Driver], scenarios: dict[str, Scenario], plan: Plan) -> list[Trial]:
    trials = []
    for language, driver in clients.items():
        plan.progress(f"{language}: building")
        await build(language, driver, plan.logs)
        for name, scenario in scenarios.items():
            await plan.begin(f"{language}: {name}: {scenario.about} ({scenario.seconds:g} s)")
            trials.append(await try_client(language, driver, name, scenario, plan))
    return trials


def _table(trials: Sequence[Trial]) -> Table:
    table = Table(title="Clients in the same scenarios")
    for column in ("client", "scenario"):
        table.add_column(column)
    columns = (
        "questions",
        "late",
        "exceptions",
        "wrong",
        "full",
        "partial",
        "fallback",
        "local",
        "p50 ms",
        "p99 ms",
        "max ms",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for one in trials:
        summary, sources = one.summary, one.summary["sources"]
        counts = [summary[name] for name in ("returned", "late", "exceptions", "wrong_requests")]
        counts += [sources[name] for name in ("ensemble", "partial", "fallback", "local")]
        times = [f"{summary[name]:.0f}" for name in ("p50_ms", "p99_ms", "max_ms")]
        table.add_row(one.language, one.scenario, *map(str, counts), *times)
    return table
