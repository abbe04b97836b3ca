"""`python -m loadtest hostile`: p99 and failures of steady requests beside each attack, against those without."""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from loadtest.errors import CannotMeasure
from loadtest.hostile.attacks import every_attack
from loadtest.hostile.trial import Pair, Trial
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import SETTLE_S
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.peers import mesh
from loadtest.report import Report
from loadtest.run.question import WORKLOADS, setting_of
from loadtest.workloads import W15

MOST_P99 = 1.5  # with the attack, of that without
PORTS = ("supervisor", "worker")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add("--workload", choices=WORKLOADS, default=W15.game, help="models and candidates (default %(default)s)")
    add("--attacks", metavar="NAME,...", help=f"attacks (default: all): {', '.join(every_attack())}")
    add("--port", choices=PORTS, default=PORTS[0], help="the attacked gRPC port (default %(default)s)")
    add("--rate", type=positive_float, default=100.0, help="steady requests per second (default %(default)s)")
    add("--seconds", type=positive_float, default=5.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 3)
    add_output(parser, Path("build/hostile.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 answers failed, 2 not measured, 130 interrupted."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    names = options.attacks.split(",") if options.attacks else list(every_attack())
    unknown = sorted(set(names) - set(every_attack()))
    if unknown:
        raise CannotMeasure(f"--attacks: no attack is named {', '.join(unknown)}; see `loadtest hostile --help`")
    ensemble = WORKLOADS[options.workload]
    folder = await prepared_folder(ensemble, plan)
    async with mesh.up(folder, plan.logs) as ready:
        await mesh.first_full_answer(ready["address"], ensemble)
        await asyncio.sleep(SETTLE_S)
        trial = Trial(ensemble, setting_of(ensemble, ready["address"]), ready, options.port, plan)
        await plan.begin(f"{options.rate:g} requests per second")
        pairs = [
            await trial.measure(name, options.rate, options.seconds, number)
            for name in names
            for number in range(options.rounds)
        ]
    for pair in pairs:
        if pair.failed:
            plan.fault(f"{pair.attack}: of the requests beside it: {pair.failed} failed")
    return _report(pairs, machine.described())


def _report(pairs: Sequence[Pair], machine_text: str) -> Report:
    table = Table(title="Steady requests without and with each attack; medians of the rounds")
    for column in ("attack", "p99 ms without", "p99 ms with", "ratio", "not full", "failed", "attacker's CPU"):
        table.add_column(column, justify="left" if column == "attack" else "right")
    aims = []
    for name, of_attack in _by_attack(pairs):
        without = statistics.median(pair.without_ms for pair in of_attack)
        beside = statistics.median(pair.with_ms for pair in of_attack)
        ratio = statistics.median(pair.with_ms / pair.without_ms for pair in of_attack)
        counts = (sum(pair.degraded for pair in of_attack), sum(pair.failed for pair in of_attack))
        share = f"{statistics.median(pair.cpu_share for pair in of_attack):.0%}"
        table.add_row(name, f"{without:.1f}", f"{beside:.1f}", f"{ratio:.2f}", *map(str, counts), share)
        aims.append(Aim(f"{name}: p99 with / without", ratio, MOST_P99))
    document = {"machine": machine_text, "pairs": [pair._asdict() for pair in pairs]}
    return Report(document, [table], aims)


def _by_attack(pairs: Sequence[Pair]) -> Iterator[tuple[str, list[Pair]]]:
    for name in dict.fromkeys(pair.attack for pair in pairs):
        yield name, [pair for pair in pairs if pair.attack == name]
