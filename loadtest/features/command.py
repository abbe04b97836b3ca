"""`python -m loadtest features`: CPU of a key in each layout beside plain aiobotocore; W15 with DynamoDB and SQLite."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtest import documents, interruption, machine
from loadtest.bench.aims import Aim
from loadtest.bench.report import print_aims
from loadtest.features.cpu import KEYS, NUMBERS, KeyCost, measure_cpu
from loadtest.features.throughput import CALLERS, STORES, Throughput, measure_throughput
from loadtest.latency import ratio
from loadtest.options import positive_float, positive_int
from loadtest.plan import Findings, Plan, plan_of
from loadtest.training import prepare
from loadtest.workloads import W15
from mesh.cli.console import stdout

MEASURED, FAULTY = 0, 1
CACHES_S = (0.0, 5.0)  # a read for every request, and the catalog's default
CPU_AIMS_US: Mapping[str, float] = {"packed": 60, "attributes": 250}
SHARE_AIM = 0.8


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, said, findings)
    plan.logs.mkdir(parents=True, exist_ok=True)
    plan.progress(machine.described())
    costs = measure_cpu(plan.rounds, plan.logs, plan.progress) if options.only != "throughput" else {}
    meshes: list[Throughput] = []
    if options.only != "cpu":
        prepare(W15, plan.folder, plan.progress)
        meshes = interruption.run(_measure(plan))
    told = {"cpu": {layout: asdict(cost) for layout, cost in costs.items()}, "w15": [asdict(one) for one in meshes]}
    documents.write(options.out, told)
    if options.json:
        print(json.dumps(told))
    else:
        _print(stdout(), costs, meshes)
    findings.tell(said)
    return FAULTY if findings.faults else MEASURED


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--only", choices=["cpu", "throughput"], help="one part instead of both")
    parser.add_argument("--rounds", type=positive_int, default=3, help="medians are over so many (default 3)")
    parser.add_argument("--seconds", type=positive_float, help="of one measurement of W15 (default 4)")
    parser.add_argument("--json", action="store_true", help="the document on stdout instead of the tables")
    parser.add_argument("--out", type=Path, default=Path("build/features.json"), help="where the document goes")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")


async def _measure(plan: Plan) -> list[Throughput]:
    return [await measure_throughput(W15, plan, cache_ttl_s) for cache_ttl_s in CACHES_S]


def _print(console: Console, costs: Mapping[str, KeyCost], meshes: Sequence[Throughput]) -> None:
    if costs:
        console.print(_costs_table(costs))
    for one in meshes:
        console.print(_mesh_table(one))
    print_aims(console, [*_cpu_aims(costs), *_share_aims(meshes)])


def _costs_table(costs: Mapping[str, KeyCost]) -> Table:
    table = Table(title=f"CPU a key, us: {KEYS} players of {NUMBERS} numbers a read")
    for column in ("layout", "ours", "aiobotocore BatchGetItem", "aiobotocore GetItem", "GetItem / ours"):
        table.add_column(column, justify="left" if column == "layout" else "right")
    for layout, cost in costs.items():
        figures = (f"{one:,.0f}" for one in (cost.ours_us, cost.batch_get_item_us, cost.get_item_us))
        table.add_row(layout, *figures, f"{ratio(cost.get_item_us, cost.ours_us):.1f}")
    return table


def _mesh_table(found: Throughput) -> Table:
    table = Table(title=f"W15, players kept for {found.cache_ttl_s:g} s")
    for column in (
        "callers",
        *(f"{store} {what}" for store in STORES for what in ("rps", "p50 ms", "CPU us")),
        "share",
    ):
        table.add_column(column, justify="right")
    for callers in CALLERS:
        cells = []
        for store in STORES:
            one = found.levels[store][callers]
            cells += [f"{one.level.rps:,.0f}", f"{one.level.p50_ms:.1f}", f"{one.supervisor_cpu_us:,.0f}"]
        table.add_row(str(callers), *cells, f"{found.share(callers):.2f}")
    return table


def _cpu_aims(costs: Mapping[str, KeyCost]) -> list[Aim]:
    return [
        Aim(f"CPU a key, {layout}, us", costs[layout].ours_us, bound, at_least=False)
        for layout, bound in CPU_AIMS_US.items()
        if layout in costs
    ]


def _share_aims(meshes: Sequence[Throughput]) -> list[Aim]:
    return [
        Aim(
            f"W15's best rps, DynamoDB over SQLite, cache {one.cache_ttl_s:g} s",
            one.best_share,
            SHARE_AIM,
            at_least=True,
        )
        for one in meshes
    ]
