"""`python -m loadtest fleet`: measures a fleet of 180 models: check, render, and the cost of an idle supervisor."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from k8s.values import CHART
from loadtest import interruption
from loadtest.errors import CannotMeasure
from loadtest.fleet.games import Seat, model_file, prepare, seats, write_endpoints
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim, aims_table
from loadtest.measurement.meters import cpu_s, pss_mb, scrape
from loadtest.options import FOLDER, add_folder, add_rounds, positive_float
from mesh.cli.console import stdout
from mesh.cli.k8s import chart_output
from mesh.process import Launch, running

MEASURED = 0
AT_ONCE = 8  # workers that start together
READY_BUDGET_S = 60.0
SETTLE_S = 5.0
RENDER_TO_NOTHING = ("kubernetes.files.emptyDir.sizeLimit=1Mi",)  # model paths of this machine
_PYTHON = (sys.executable, "-P", "-m")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--seconds", type=positive_float, default=30.0, help="duration of the idle measurement (default 30)"
    )
    add_rounds(parser, 5)
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON")
    add_folder(parser, FOLDER / "fleet")


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    stderr.print(machine.described())
    folder = options.folder.absolute()
    catalogs = prepare(folder)
    check_s = _median_s(options.rounds, [*_PYTHON, "mesh.cli.main", "catalog", "check", *map(str, catalogs)])
    aims = [Aim("mesh catalog check of 180 models, s", check_s, 1.0)]
    render_s = _render_s(options.rounds, catalogs)
    if render_s is None:
        stderr.print("helm is not installed, so the render is not measured; `make k8s-tools` installs it")
    else:
        aims.append(Aim("helm template of 180 models, s", render_s, 10.0))
    idle = interruption.run(_idle(folder, catalogs, options.seconds, stderr))
    aims += [
        Aim("CPU of a supervisor with 180 idle lanes, % of a core", idle[0], 2.0),
        Aim("its memory (PSS), MB", idle[1], 120.0),
    ]
    if options.json:
        print(json.dumps({aim.text: aim.measured for aim in aims}))
    else:
        stdout().print(aims_table(aims))
    return MEASURED


def _median_s(rounds: int, command: Sequence[str]) -> float:
    return statistics.median(_seconds(command) for _ in range(rounds))


def _seconds(command: Sequence[str]) -> float:
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_BUDGET_S, check=False)
    if done.returncode:
        raise CannotMeasure(f"{command[0]} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return time.monotonic() - began_s


def _render_s(rounds: int, catalogs: Sequence[Path]) -> float | None:
    """Renders all games one after the other; None without Helm."""
    helm = chart_output.helm()
    if helm is None:
        return None
    version = ["--kube-version", chart_output.KUBERNETES]
    command = [helm, "template", "fleet", str(CHART), *version, "--set", *RENDER_TO_NOTHING]
    return statistics.median(
        sum(_seconds([*command, "-f", str(catalog)]) for catalog in catalogs) for _ in range(rounds)
    )


async def _idle(folder: Path, catalogs: Sequence[Path], seconds: float, stderr: Console) -> tuple[float, float]:
    """CPU in percent of a core and memory in MiB of a supervisor whose lanes are up and idle."""
    async with AsyncExitStack() as stack:
        addresses = await _start_workers(stack, folder, stderr)
        write_endpoints(folder / "endpoints.json", addresses)
        words = [word for file in catalogs for word in ("--catalog", str(file))]
        command = [*_PYTHON, "supervisor", *words, "--endpoints", str(folder / "endpoints.json")]
        log = folder / "logs/supervisor.log"
        supervisor = await stack.enter_async_context(running(Launch("supervisor", command, Path.cwd(), log)))
        ready = await supervisor.event("ready", READY_BUDGET_S)
        await _lanes_up(ready["metrics"], len(addresses))
        await asyncio.sleep(SETTLE_S)
        before_s, began_s = cpu_s([ready["pid"]]), time.monotonic()
        await asyncio.sleep(seconds)
        share = (cpu_s([ready["pid"]]) - before_s) / (time.monotonic() - began_s)
        return 100 * share, pss_mb(ready["pid"])


async def _start_workers(stack: AsyncExitStack, folder: Path, stderr: Console) -> dict[Seat, str]:
    turn = asyncio.Semaphore(AT_ONCE)
    all_seats = list(seats())

    async def start(number: int, seat: Seat) -> str:
        name = ["--name", seat[2], "--uri", str(model_file(folder)), "--nice", "10", "--follow-parent"]
        log = folder / f"logs/worker-{number:03d}.log"
        async with turn:
            launch = Launch("worker", [*_PYTHON, "model_worker", *name], Path.cwd(), log)
            worker = await stack.enter_async_context(running(launch))
            ready = await worker.event("ready", READY_BUDGET_S)
        return f"127.0.0.1:{ready['port']}"

    stderr.print(f"starting {len(all_seats)} workers")
    addresses = await asyncio.gather(*(start(number, seat) for number, seat in enumerate(all_seats)))
    return dict(zip(all_seats, addresses, strict=True))


async def _lanes_up(metrics: str, expected: int) -> None:
    up = -1
    try:
        async with asyncio.timeout(READY_BUDGET_S):
            while (up := await asyncio.to_thread(_count_up, metrics)) < expected:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise CannotMeasure(f"only {up} of {expected} lanes are up after {READY_BUDGET_S:g} s") from None


def _count_up(metrics: str) -> int:
    families = text_string_to_metric_families(scrape(f"http://{metrics}/metrics"))
    lanes = [sample for family in families if family.name == "mesh_lanes" for sample in family.samples]
    return int(sum(sample.value for sample in lanes if sample.labels["state"] == "up"))
