"""`python -m loadtest fleet`: 180 models: how long a check and a render take, what an idle supervisor costs."""

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

from loadtest import interruption, machine
from loadtest.bench.aims import Aim
from loadtest.bench.report import print_aims
from loadtest.faults import CannotMeasure
from loadtest.fleet.games import Seat, model_file, prepare, seats, write_endpoints
from loadtest.metering import cpu_s, pss_mb, scrape
from loadtest.options import positive_float, positive_int
from mesh.cli.console import stdout
from mesh.process import Launch, running

MEASURED = 0
AT_ONCE = 8  # workers that start together
READY_BUDGET_S = 60.0
SETTLE_S = 5.0
RENDER_TO_NOTHING = ("kubernetes.files.emptyDir.sizeLimit=1Mi",)  # the models' paths are this machine's
_PYTHON = (sys.executable, "-P", "-m")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--seconds", type=positive_float, default=30.0, help="how long it idles (default 30)")
    parser.add_argument("--rounds", type=positive_int, default=5, help="checks and renders (default 5)")
    parser.add_argument("--json", action="store_true", help="the figures as one line of JSON")
    parser.add_argument("--folder", type=Path, default=Path("build/bench/fleet"), help="models, logs")


def run(options: argparse.Namespace) -> int:
    """Measures; the exit code is 0 measured, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    said.print(machine.described())
    folder = options.folder.absolute()
    catalogs = prepare(folder)
    check_s = _median_s(options.rounds, [*_PYTHON, "mesh.cli.main", "catalog", "check", *map(str, catalogs)])
    aims = [Aim("mesh catalog check of 180 models, s", check_s, 1.0)]
    render_s = _render_s(options.rounds, catalogs)
    if render_s is None:
        said.print("helm is not installed: the render is not measured")
    else:
        aims.append(Aim("helm template of 180 models, s", render_s, 10.0))
    idle = interruption.run(_idle(folder, catalogs, options.seconds, said))
    aims += [
        Aim("CPU of a supervisor with 180 idle lanes, % of a core", idle[0], 2.0),
        Aim("its memory (PSS), MB", idle[1], 120.0),
    ]
    if options.json:
        print(json.dumps({aim.text: aim.measured for aim in aims}))
    else:
        print_aims(stdout(), aims)
    return MEASURED


def _median_s(rounds: int, command: Sequence[str]) -> float:
    return statistics.median(_seconds(command) for _ in range(rounds))


def _seconds(command: Sequence[str]) -> float:
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_BUDGET_S, check=False)
    if done.returncode:
        raise CannotMeasure(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return time.monotonic() - began_s


def _render_s(rounds: int, catalogs: Sequence[Path]) -> float | None:
    """All games one after the other; None without Helm."""
    from k8s import render  # of the checkout, like the chart: an installed package has neither
    from k8s.values import CHART

    helm = render.helm()
    if helm is None:
        return None
    command = [helm, "template", "fleet", str(CHART), "--kube-version", render.KUBERNETES, "--set", *RENDER_TO_NOTHING]
    return statistics.median(
        sum(_seconds([*command, "-f", str(catalog)]) for catalog in catalogs) for _ in range(rounds)
    )


async def _idle(folder: Path, catalogs: Sequence[Path], seconds: float, said: Console) -> tuple[float, float]:
    """Percent of a core and MiB of a supervisor whose lanes are up and carry nothing."""
    async with AsyncExitStack() as stack:
        addresses = await _start_workers(stack, folder, said)
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


async def _start_workers(stack: AsyncExitStack, folder: Path, said: Console) -> dict[Seat, str]:
    turn = asyncio.Semaphore(AT_ONCE)
    places = list(seats())

    async def start(number: int, seat: Seat) -> str:
        name = ["--name", seat[2], "--uri", str(model_file(folder)), "--nice", "10", "--follow-parent"]
        log = folder / f"logs/worker-{number:03d}.log"
        async with turn:
            launch = Launch("worker", [*_PYTHON, "model_worker", *name], Path.cwd(), log)
            worker = await stack.enter_async_context(running(launch))
            ready = await worker.event("ready", READY_BUDGET_S)
        return f"127.0.0.1:{ready['port']}"

    said.print(f"starting {len(places)} workers")
    addresses = await asyncio.gather(*(start(number, seat) for number, seat in enumerate(places)))
    return dict(zip(places, addresses, strict=True))


async def _lanes_up(metrics: str, expected: int) -> None:
    up = -1
    try:
        async with asyncio.timeout(READY_BUDGET_S):
            while (up := await asyncio.to_thread(_count_up, metrics)) < expected:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise CannotMeasure(f"{up} of {expected} lanes are up after {READY_BUDGET_S:g} s") from None


def _count_up(metrics: str) -> int:
    families = text_string_to_metric_families(scrape(f"http://{metrics}/metrics"))
    lanes = [sample for family in families if family.name == "mesh_lanes" for sample in family.samples]
    return int(sum(sample.value for sample in lanes if sample.labels["state"] == "up"))
