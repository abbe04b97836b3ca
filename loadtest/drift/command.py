"""`python -m loadtest drift`: CPU of an answer with a reference of the training, against none."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.table import Table

from loadtest.drift.training import write_reference
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.in_turn import measure_round, meshes_up
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.report import Report
from loadtest.run.question import WORKLOADS
from loadtest.workloads import VERSION, TrainedEnsemble, catalog_of

OFF, ON = "off", "on"
MOST = 1.01  # CPU of an answer, relative to the mesh without a reference
Pairs = list[tuple[Point, Point]]  # without and with a reference, one pair for each round
Measured = Mapping[tuple[str, int], Pairs]  # by workload and callers


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], action="append", help="models and candidates; repeatable (default: both)")
    add("--callers", type=positive_ints, default=[64], metavar="N,...", help="callers, comma-separated (default 64)")
    add("--seconds", type=positive_float, default=4.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 8)
    add_output(parser, Path("build/drift.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    found: dict[tuple[str, int], Pairs] = {}
    for name in options.workload or WORKLOADS:
        await _workload(WORKLOADS[name], options, plan, found)
    return report_of(found, machine.described())


async def _workload(
    ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan, found: dict[tuple[str, int], Pairs]
) -> None:
    folder = await prepared_folder(ensemble, plan)
    _write_catalogs(ensemble, folder)
    files = {name: f"{name}.yaml" for name in (OFF, ON)}
    async with meshes_up(ensemble, folder, plan, files, f"{ensemble.game}, reference ") as systems:
        for callers in options.callers:
            pairs = found.setdefault((ensemble.game, callers), [])
            await plan.begin(f"{ensemble.game}, {callers} callers")
            for number in range(options.rounds):
                points = await measure_round(systems, ensemble, callers, number, options.seconds, plan, "reference ")
                pairs.append((points[OFF], points[ON]))


def _write_catalogs(ensemble: TrainedEnsemble, folder: Path) -> None:
    catalog = catalog_of(ensemble)
    (folder / f"{OFF}.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False))
    version = {**catalog["versions"][VERSION], "reference": "reference.json"}
    compared = {**catalog, "versions": {**catalog["versions"], VERSION: version}}
    (folder / f"{ON}.yaml").write_text(yaml.safe_dump(compared, sort_keys=False))
    write_reference(ensemble, folder, folder / f"{OFF}.yaml", folder / "reference.json")


def report_of(found: Measured, machine: str) -> Report:
    """The report: medians of the ratios within a round."""
    rows = [_row(game, callers, pairs) for (game, callers), pairs in found.items()]
    aims = [
        Aim(f"{row['workload']}, {row['callers']} callers: CPU of an answer, with / without", float(row["cpu"]), MOST)
        for row in rows
    ]
    return Report({"machine": machine, "rows": rows}, [_table(rows)], aims)


def _row(game: str, callers: int, pairs: Pairs) -> dict[str, float | str]:
    def ratio(values: list[tuple[float, float]]) -> float:
        return statistics.median(on / off for off, on in values)

    supervisors = [tuple(one.cpu_s["supervisor"] / one.answers * 1e6 for one in pair) for pair in pairs]
    return {
        "workload": game,
        "callers": callers,
        "rps": statistics.median(off.level.rps for off, _ in pairs),
        "supervisor_us": statistics.median(off for off, _ in supervisors),
        "cpu": ratio([(off.cpu_us, on.cpu_us) for off, on in pairs]),
        "supervisor": ratio([(off, on) for off, on in supervisors]),
        "rate": ratio([(off.level.rps, on.level.rps) for off, on in pairs]),
    }


def _table(rows: list[dict[str, float | str]]) -> Table:
    table = Table(title="A reference of the training, with / without")
    for column in (
        "workload",
        "callers",
        "answers/s",
        "supervisor us",
        "CPU",
        "CPU of the supervisor",
        "answers/s ratio",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        figures = (f"{row['rps']:,.0f}", f"{row['supervisor_us']:,.0f}")
        ratios = (f"{row[name]:.3f}" for name in ("cpu", "supervisor", "rate"))
        table.add_row(str(row["workload"]), str(row["callers"]), *figures, *ratios)
    return table
