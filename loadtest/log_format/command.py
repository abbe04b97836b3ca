"""`python -m loadtest log-format`: CPU and rate of answers of a supervisor with `--log-format json`, and with text.

Three supervisors ask the workers of one mesh. Two of them write text: the difference between them is the noise of the
measurement. The logs have the default level.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from loadtest.measurement import machine
from loadtest.measurement.aims import Aim
from loadtest.measurement.command import run_measurement
from loadtest.measurement.comparison import COMPARED, Comparison, table_of
from loadtest.measurement.in_turn import SETTLE_S, measure_loads
from loadtest.measurement.plan import Plan
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, add_loads, add_output, add_rounds
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.report import Report
from loadtest.workloads import VERSION, W15
from mesh.process import Event, running

TEXT, JSON, AGAIN = "text", "json", "text again"
FORMATS = {TEXT: "text", JSON: "json", AGAIN: "text"}
CALLERS = (64,)
MOST = 1.02  # times the CPU with text


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 answers were not full; 2 not measured; 130 interrupted."
    add_loads(parser, CALLERS, 2.0)
    add_rounds(parser, 15)
    add_output(parser, Path("build/log-format.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    return run_measurement(_measure, options)


async def _measure(options: argparse.Namespace, plan: Plan) -> Report:
    folder = await prepared_folder(W15, plan)
    async with mesh.up(folder, plan.logs) as ready, contextlib.AsyncExitStack() as stack:
        (folder / "endpoints.json").write_text(json.dumps(_endpoints(ready)))
        systems = {name: await stack.enter_async_context(_supervisor(name, folder, plan)) for name in FORMATS}
        await asyncio.sleep(SETTLE_S)
        before = _sizes(plan)
        measuring = measure_loads(systems, W15, options.callers, options.rate, options.seconds, plan)
        found = [one async for one in measuring]
        written = {name: size - before[name] for name, size in _sizes(plan).items()}
        return report_of(found, written, machine.described())


def report_of(found: list[Comparison], log_bytes: dict[str, int], machine: str) -> Report:
    """Returns the report. `log_bytes` is what each supervisor logged under the load."""
    rows = [one.row(name) for one in found for name in one.points]
    aims = [Aim(f"w15, {one.load}: CPU of the supervisor, JSON / text", one.cpu_ratio(JSON), MOST) for one in found]
    title = "Logs in JSON: CPU of an answer in the supervisor, to that with logs in text"
    sizes = "Logged under the load: " + ", ".join(f"{name} {size} bytes" for name, size in log_bytes.items())
    document = {"machine": machine, "rows": rows, "log_bytes": log_bytes}
    return Report(document, [table_of(title, COMPARED, rows), sizes], aims)


@contextlib.asynccontextmanager
async def _supervisor(name: str, folder: Path, plan: Plan) -> AsyncIterator[System]:
    launch = mesh.supervisor_launch(folder, plan.logs, ("--log-format", FORMATS[name]))
    async with running(replace(launch, log=_log(name, plan))) as supervisor:
        ready = await supervisor.event("ready", mesh.READY_BUDGET_S)
        await mesh.first_full_answer(ready["address"], W15)
        yield System("grpc", ready["address"], {"supervisor": (ready["pid"],)}, 0.0, ready["metrics"])


def _endpoints(ready: Event) -> dict[str, object]:
    models = {worker["model"]: [worker["address"]] for worker in ready["workers"]}
    return {W15.game: {VERSION: models}}


def _log(name: str, plan: Plan) -> Path:
    return plan.logs / f"supervisor-{name.replace(' ', '-')}.log"


def _sizes(plan: Plan) -> dict[str, int]:
    return {name: _log(name, plan).stat().st_size for name in FORMATS}
