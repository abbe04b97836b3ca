"""`python -m loadtest affinity`: reads of the player store, with players that stay with a supervisor, and in turn."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from loadtest.affinity import AFFINITY, ROUND_ROBIN
from loadtest.clients.drivers import PYTHON_CLIENT, ROOT
from loadtest.clients.real_mesh import ENSEMBLE, RealSupervisor, running_supervisors
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.meters import scrape
from loadtest.measurement.plan import Plan
from loadtest.options import add_folder, add_output, positive_float, positive_int
from loadtest.report import Report
from loadtest.workloads import offer_ids
from mesh.process import Launch, running

WARM_S = 6.0  # longer than cache_ttl_s: the caches of the run before are of no use
READY_BUDGET_S = 60.0
LEAST_FALL = 0.6
SEED = 23


@dataclass(frozen=True, slots=True)
class Reads:
    """What the supervisors read: reads of the store, and the players in them; answers to the client by source."""

    order: str
    reads: float
    players: float
    sources: Mapping[str, int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 questions had local answers; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--supervisors", type=positive_int, default=4, metavar="N", help="supervisors (default %(default)s)")
    add("--rate", type=positive_float, default=400.0, help="questions a second (default %(default)s)")
    add("--seconds", type=positive_float, default=20.0, help="duration of each measurement (default %(default)s)")
    add("--players", type=positive_int, default=150, metavar="N", help="players that are online (default %(default)s)")
    add("--exponent", type=positive_float, default=1.0, help="of Zipf's law of their questions (default %(default)s)")
    parser.set_defaults(rounds=1)
    add_output(parser, Path("build/affinity.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    async with running_supervisors(plan, options.supervisors) as supervisors:
        found = []
        for order in (ROUND_ROBIN, AFFINITY):
            await plan.begin(f"{order}: {options.rate:g} questions a second for {options.seconds:g} s")
            found.append(await _ask(order, supervisors, options, plan))
    for one in found:
        if one.sources.get("local"):
            plan.fault(f"{one.order}: {one.sources['local']} local answers")
    return report_of(found, options.seconds, machine.described())


async def _ask(order: str, supervisors: Sequence[RealSupervisor], options: argparse.Namespace, plan: Plan) -> Reads:
    words = {
        "targets": ",".join(one.address for one in supervisors),
        "game": ENSEMBLE.game,
        "fallback": offer_ids(ENSEMBLE)[0],
        "order": order,
        "rate": options.rate,
        "seconds": options.seconds,
        "warm-s": WARM_S,
        "exponent": options.exponent,
        "players": options.players,
        "seed": SEED,
    }
    command = [sys.executable, "-m", "loadtest.affinity.asker"]
    command += [word for name, value in words.items() for word in (f"--{name}", str(value))]
    async with running(Launch("asker", command, ROOT, plan.logs / "asker.log", PYTHON_CLIENT)) as asker:
        await asker.event("warm", READY_BUDGET_S)
        before = await _read_counts(supervisors)
        done = await asker.event("done", options.seconds + READY_BUDGET_S)
        after = await _read_counts(supervisors)
    return Reads(order, after[0] - before[0], after[1] - before[1], done["sources"])


async def _read_counts(supervisors: Sequence[RealSupervisor]) -> tuple[float, float]:
    texts = [await asyncio.to_thread(scrape, f"http://{one.metrics}/metrics") for one in supervisors]
    counts = [reads_in(text) for text in texts]
    return sum(reads for reads, _ in counts), sum(players for _, players in counts)


def reads_in(exposition: str) -> tuple[float, float]:
    """Returns the reads of the store and the players in them, from the text of a supervisor's metrics."""
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposition)
        if family.name == "mesh_feature_read_keys"
        for sample in family.samples
    }
    return samples.get("mesh_feature_read_keys_count", 0.0), samples.get("mesh_feature_read_keys_sum", 0.0)


def report_of(found: Sequence[Reads], seconds: float, machine: str) -> Report:
    """The report: the players that were read, and how much less they are with affinity."""
    by_order = {one.order: one for one in found}
    fall = 1 - by_order[AFFINITY].players / by_order[ROUND_ROBIN].players
    table = Table(title="Reads of the player store, all supervisors")
    for column in ("order", "reads/s", "players read/s", "answers"):
        table.add_column(column, justify="left" if column == "order" else "right")
    for one in found:
        answers = ", ".join(f"{count} {source}" for source, count in one.sources.items())
        table.add_row(one.order, f"{one.reads / seconds:.1f}", f"{one.players / seconds:.1f}", answers)
    aims = [Aim("fall of the players that are read", fall, LEAST_FALL, at_least=True)]
    document = {"machine": machine, "orders": [asdict(one) for one in found], "fall": fall}
    return Report(document, [table], aims)
