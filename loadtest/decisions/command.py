"""`python -m loadtest decisions`: CPU and rate of answers with the decision log, against those without it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console

from loadtest import interruption
from loadtest.decisions.catalogs import DEAD, OFF, ON, write_catalogs
from loadtest.decisions.log_metrics import read_log_state
from loadtest.decisions.report import Pair, report_of
from loadtest.measurement import machine, meters
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.measurement.point import Point, Span, closed_loop, seed_of
from loadtest.options import add_folder, add_output, add_rounds, positive_float, positive_ints
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.report import publish
from loadtest.workload_files import prepare
from loadtest.workloads import W15, W15X100, TrainedEnsemble

WORKLOADS = {one.game: one for one in (W15, W15X100)}
CALLERS = (64, 256)
WARM_UP_S = 1.0
SETTLE_S = 5.0  # after the start; the workers still end their proving processes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add = parser.add_argument
    add("--workload", choices=[*WORKLOADS], action="append", help="models and candidates; repeatable (default: both)")
    add("--callers", type=positive_ints, default=CALLERS, metavar="N,...", help="callers (default 64,256)")
    add("--sink", choices=[ON, DEAD], default=ON, help="dead: the folder of the log cannot be written (default on)")
    add("--seconds", type=positive_float, default=6.0, help="duration of each measurement (default %(default)s)")
    add_rounds(parser, 5)
    add_output(parser, Path("build/decisions.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    stderr, findings = Console(stderr=True, highlight=False), Findings()
    plan = plan_of(options, stderr, findings)
    plan.logs.mkdir(parents=True, exist_ok=True)
    pairs = interruption.run(_measure(options, plan))
    publish(report_of(pairs, options.sink, machine.described()), options)
    return findings.print(stderr)


async def _measure(options: argparse.Namespace, plan: Plan) -> list[Pair]:
    found = []
    for name in options.workload or WORKLOADS:
        found += await _workload(WORKLOADS[name], options, plan)
    return found


async def _workload(ensemble: TrainedEnsemble, options: argparse.Namespace, plan: Plan) -> list[Pair]:
    """Measures both meshes in turn, in the other order in each second round: a drift of the machine meets both."""
    prepare(ensemble, plan.folder, plan.progress)
    folder = plan.folder / ensemble.game
    await mesh.load_features(folder, plan.logs)
    files = write_catalogs(ensemble, folder, (OFF, options.sink))
    points: dict[int, dict[str, list[Point]]] = {}
    async with contextlib.AsyncExitStack() as stack:
        systems = {}
        for name, file in files.items():
            plan.progress(f"{ensemble.game}, log {name}: starting")
            systems[name] = await stack.enter_async_context(_up(ensemble, folder, plan, file))
        await asyncio.sleep(SETTLE_S)
        for callers in options.callers:
            points[callers] = {name: [] for name in systems}
            await plan.begin(f"{ensemble.game}, {callers} callers")
            for number in range(options.rounds):
                for name in [*systems][:: 1 if number % 2 else -1]:
                    span, seed = Span(WARM_UP_S, options.seconds), seed_of(callers, number)
                    point = await closed_loop(systems[name], ensemble, callers, seed, span, plan.logs)
                    points[callers][name].append(point)
                    plan.report(f"log {name}", point)
        state = await read_log_state(systems[options.sink].metrics_address)
    return [
        Pair(ensemble.game, callers, tuple(of[OFF]), tuple(of[options.sink]), state) for callers, of in points.items()
    ]


@contextlib.asynccontextmanager
async def _up(ensemble: TrainedEnsemble, folder: Path, plan: Plan, catalog: str) -> AsyncIterator[System]:
    async with mesh.up(folder, plan.logs, catalog=catalog) as ready:
        await mesh.first_full_answer(ready["address"], ensemble)
        supervisor = ready["supervisor"]["pid"]
        parts = {
            "supervisor": (supervisor,),
            "writer": meters.children(supervisor),
            "workers": tuple(worker["pid"] for worker in ready["workers"]),
        }
        yield System("grpc", ready["address"], parts, 0.0, ready["metrics"])
