"""`python -m loadtest bench`: W15 beside the monolith and S15 beside its limit, with medians of rounds."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from rich.console import Console

from loadtest import machine
from loadtest.bench import aims, report
from loadtest.bench.results import Document, Simulated, Trained, document
from loadtest.bench.simulated import measure_simulated
from loadtest.bench.trained import measure_trained
from loadtest.faults import CannotMeasure
from loadtest.options import positive_float, positive_int
from loadtest.plan import Plan
from loadtest.training import prepare
from loadtest.workloads import S15, W15

MEASURED, FAULTY, NOT_MEASURED, INTERRUPTED = 0, 1, 2, 130


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    faults: list[str] = []
    doubts: list[str] = []
    plan = _plan(options, said, faults, doubts)
    try:
        if options.only != "s15":
            prepare(W15, plan.folder, plan.progress)
        w15, s15 = asyncio.run(_measure(plan, options.only))
    except CannotMeasure as error:
        said.print(str(error), style="red", markup=False)
        return NOT_MEASURED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    _write(options.out, document(w15, s15))
    if options.json:
        print(json.dumps(document(w15, s15)))
    else:
        _print(Console(), w15, s15)
    for kind, lines in (("doubtful", doubts), ("fault", faults)):
        for line in lines:
            said.print(f"{kind}: {line}", style="red", markup=False)
    return FAULTY if faults else MEASURED


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--only", choices=["w15", "s15"], help="one workload instead of both")
    parser.add_argument("--rounds", type=positive_int, default=3, help="medians are over so many (default 3)")
    parser.add_argument("--seconds", type=positive_float, help="of one measurement (default: W15 4, S15 22)")
    parser.add_argument("--json", action="store_true", help="the document on stdout instead of the tables")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="where the document goes")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")


async def _measure(plan: Plan, only: str | None) -> tuple[Trained | None, Simulated | None]:
    task = asyncio.current_task()
    assert task is not None
    # Every block on the way out ends the processes that it started.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    plan.progress(machine.described())
    w15 = await measure_trained(W15, plan) if only != "s15" else None
    s15 = await measure_simulated(S15, plan) if only != "w15" else None
    return w15, s15


def _plan(options: argparse.Namespace, said: Console, faults: list[str], doubts: list[str]) -> Plan:
    return Plan(
        rounds=options.rounds,
        seconds=options.seconds,
        folder=options.folder.absolute(),
        progress=lambda line: said.print(line, markup=False),
        fault=faults.append,
        doubt=doubts.append,
    )


def _write(path: Path, measured: Document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=2) + "\n")


def _print(console: Console, w15: Trained | None, s15: Simulated | None) -> None:
    reached: list[aims.Aim] = []
    if w15 is not None:
        report.print_trained(console, w15)
        reached += aims.trained_aims(w15)
    if s15 is not None:
        report.print_simulated(console, s15)
        reached += aims.simulated_aims(s15)
    report.print_aims(console, reached)
