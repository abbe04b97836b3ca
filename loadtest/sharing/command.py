"""`python -m loadtest sharing`: CPU of an answer with two versions that share 14 of 15 models, against one version."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.table import Table

from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.comparison import median_ratio
from loadtest.measurement.in_turn import WARM_UP_S, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point, Span, closed_loop, seed_of
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.report import Report
from loadtest.sharing.catalogs import ALONE, SHARED, catalogs_of
from loadtest.workloads import W15

CALLERS = (16, 64)
MOST = 1.1  # CPU of an answer, relative to one version alone
Measured = Mapping[int, Mapping[str, list[Point]]]  # the points of each system, by callers


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add(
        "--callers",
        type=positive_ints,
        default=CALLERS,
        metavar="N,...",
        help="callers, comma-separated (default 16,64)",
    )
    add("--seconds", type=positive_float, default=4.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 5)
    add_output(parser, Path("build/sharing.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    """Measures the systems in turn: each round has every system once, so that a drift of the machine meets them all."""
    folder = await prepared_folder(W15, plan)
    files = {}
    for name, catalog in catalogs_of(W15).items():
        files[name] = f"{name}.yaml"
        (folder / files[name]).write_text(yaml.safe_dump(catalog, sort_keys=False))
    async with meshes_up(W15, folder, plan, files) as systems:
        found: dict[int, dict[str, list[Point]]] = {
            callers: {name: [] for name in systems} for callers in options.callers
        }
        for number in range(options.rounds):
            await plan.begin(f"round {number + 1}")
            for callers, points in found.items():
                for name, system in systems.items():
                    span, seed = Span(WARM_UP_S, options.seconds), seed_of(callers, number)
                    points[name].append(await closed_loop(system, W15, callers, seed, span, plan.logs))
                    plan.report(f"{name}, {callers} callers", points[name][-1])
    return report_of(found, machine.described())


def report_of(found: Measured, machine: str) -> Report:
    """The report: medians of the rounds, and medians of the ratios within a round."""
    rows = [_row(callers, name, points) for callers, systems in found.items() for name, points in _rows(systems)]
    aims = [
        Aim(f"{callers} callers: CPU of an answer, shared / alone", _ratio(systems, SHARED), MOST)
        for callers, systems in found.items()
    ]
    return Report({"machine": machine, "rows": rows}, [_table(rows)], aims)


def _rows(systems: Mapping[str, list[Point]]) -> list[tuple[str, tuple[list[Point], float]]]:
    return [(name, (points, _ratio(systems, name))) for name, points in systems.items()]


def _ratio(systems: Mapping[str, list[Point]], name: str) -> float:
    return median_ratio((one.cpu_us for one in systems[name]), (one.cpu_us for one in systems[ALONE]))


def _row(callers: int, name: str, measured: tuple[list[Point], float]) -> dict[str, object]:
    points, ratio = measured
    return {
        "callers": callers,
        "system": name,
        "rps": statistics.median(one.level.rps for one in points),
        "p50_ms": statistics.median(one.level.p50_ms for one in points),
        "cpu_us": statistics.median(one.cpu_us for one in points),
        "ratio": ratio,
    }


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table(title="W15: CPU of an answer, workers and supervisor")
    for column in ("callers", "versions", "answers/s", "p50 ms", "CPU us", "/ alone"):
        table.add_column(column, justify="right")
    for row in rows:
        numbers = (f"{row['rps']:,.0f}", f"{row['p50_ms']:.1f}", f"{row['cpu_us']:,.0f}", f"{row['ratio']:.2f}")
        table.add_row(str(row["callers"]), str(row["system"]), *numbers)
    return table
