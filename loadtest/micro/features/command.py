"""`python -m loadtest features`: CPU per DynamoDB key compared with plain aiobotocore; W15 with DynamoDB and SQLite."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.micro.features.cpu import KEYS, NUMBERS, KeyCost, measure_cpu
from loadtest.micro.features.throughput import CALLERS, STORES, Throughput, measure_throughput
from loadtest.micro.report import cost_table
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.report import Report, publish
from loadtest.workload_files import prepare
from loadtest.workloads import W15

CACHES_S = (0.0, 5.0)  # a read for every request, and the default of the catalog
CPU_AIMS_US: Mapping[str, float] = {"packed": 60, "attributes": 250}
SHARE_AIM = 0.8
GET_ITEM, WAYS = "aiobotocore GetItem", ("ours", "aiobotocore BatchGetItem")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--only", choices=["cpu", "throughput"], help="run one part only")
    add_rounds(parser, 3)
    parser.add_argument("--seconds", type=positive_float, help="duration of one measurement of W15 (default 4)")
    add_output(parser, Path("build/features.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, stderr, findings)
    plan.progress(machine.described())
    costs = measure_cpu(plan.rounds, plan.logs, plan.progress) if options.only != "throughput" else {}
    meshes: list[Throughput] = []
    if options.only != "cpu":
        prepare(W15, plan.folder, plan.progress)
        meshes = interruption.run(_measure(plan))
    publish(report(costs, meshes), options)
    return findings.print(stderr)


async def _measure(plan: Plan) -> list[Throughput]:
    return [await measure_throughput(W15, plan, cache_ttl_s) for cache_ttl_s in CACHES_S]


def report(costs: Mapping[str, KeyCost], meshes: Sequence[Throughput]) -> Report:
    """CPU per key by layout, one table per cache, and the aims."""
    document = {"cpu": {layout: asdict(cost) for layout, cost in costs.items()}, "w15": [asdict(one) for one in meshes]}
    tables = [_costs_table(costs)] if costs else []
    tables += [_mesh_table(one) for one in meshes]
    return Report(document, tables, [*cpu_aims(costs), *share_aims(meshes)])


def cpu_aims(costs: Mapping[str, KeyCost]) -> list[Aim]:
    """The aims of the layouts."""
    return [
        Aim(f"CPU per key, {layout}, us", costs[layout].ours_us, bound)
        for layout, bound in CPU_AIMS_US.items()
        if layout in costs
    ]


def share_aims(meshes: Sequence[Throughput]) -> list[Aim]:
    """The aims of the throughput with DynamoDB."""
    return [
        Aim(
            f"W15's best rps, DynamoDB over SQLite, cache {one.cache_ttl_s:g} s",
            one.best_share,
            SHARE_AIM,
            at_least=True,
        )
        for one in meshes
    ]


def _costs_table(costs: Mapping[str, KeyCost]) -> Table:
    title = f"CPU per key, us: {KEYS} players of {NUMBERS} numbers per read"
    by_way = {
        layout: dict(zip((*WAYS, GET_ITEM), (cost.ours_us, cost.batch_get_item_us, cost.get_item_us), strict=True))
        for layout, cost in costs.items()
    }
    return cost_table(title, "layout", WAYS, GET_ITEM, by_way)


def _mesh_table(found: Throughput) -> Table:
    table = Table(title=f"W15, player cache of {found.cache_ttl_s:g} s")
    figures = [f"{store} {figure}" for store in STORES for figure in ("rps", "p50 ms", "CPU us")]
    for column in ("callers", *figures, "DynamoDB / SQLite"):
        table.add_column(column, justify="right")
    for callers in CALLERS:
        cells = []
        for store in STORES:
            one = found.levels[store][callers]
            cells += [f"{one.level.rps:,.0f}", f"{one.level.p50_ms:.1f}", f"{one.supervisor_cpu_us:,.0f}"]
        table.add_row(str(callers), *cells, f"{found.share(callers):.2f}")
    return table
