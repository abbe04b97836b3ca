"""The complete example: builds it, starts the mesh, requests offers, evaluates the answers and stops the mesh."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import compress

import numpy as np
from rich.console import Console

from examples.dragonfall.backend import ask, logins, outcomes_of, report
from examples.dragonfall.build import CATALOG, build
from examples.dragonfall.decision_log import check_log, read_log, show_log
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_process import mesh_up, running_mesh
from examples.dragonfall.offers import read_offers
from examples.dragonfall.report import show
from examples.dragonfall.results import Results, check, count_sources, earned, latency, purchases
from examples.dragonfall.simulation import draw_encounters, simulate_players

SEED = 7
WARM_UP = 20
SEQUENTIAL = 500
CONCURRENT = 1000
CALLERS = 16
SAMPLE = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    options = _parse(arguments)
    progress = Console(stderr=True)
    try:
        build(progress)
        began = datetime.now(UTC)
        results = asyncio.run(_play(mesh_up(CATALOG)))
        check(results)
        check_log(began, results.decisions, results.outcomes)  # the mesh has written all of it, since it was drained
        _print(results, began, as_json=options.json)
    except ExampleFailed as failure:
        progress.print(f"[red]error:[/red] {failure}", highlight=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress.print("stopped", highlight=False)
        return 130
    return 0


async def _play(command: Sequence[str]) -> Results:
    with _sigterm_cancels():
        async with running_mesh(command) as address:
            return await play(address)


async def play(address: str) -> Results:
    """Simulates log-ins, one at a time and then many at once; reports their outcomes and evaluates the answers."""
    players, offers = simulate_players(), read_offers()
    rng = np.random.default_rng(SEED)
    rows = rng.choice(len(players.ids), WARM_UP + SEQUENTIAL + CONCURRENT, replace=False)
    # The offer column is a placeholder: the mesh chooses the offers.
    encounters = draw_encounters(rows, np.zeros_like(rows), rng)
    requests = logins(players, encounters)
    warm_up = await ask(address, requests[-WARM_UP:], callers=1)
    sequential = await ask(address, requests[:SEQUENTIAL], callers=1)
    concurrent = await ask(address, requests[SEQUENTIAL:-WARM_UP], callers=CALLERS)
    answers = [*sequential, *concurrent, *warm_up]
    bought = purchases(answers, players, offers, encounters, rng)
    prices = dict(zip(offers.ids, offers.prices.tolist(), strict=True))
    outcomes = outcomes_of(answers, bought, prices)
    await report(address, outcomes)
    explained = [one.decision_id for one in compress(answers, bought) if one.source == "ENSEMBLE"]
    personalised = [not answer.is_held_out for answer in sequential]
    first = encounters.at(slice(SEQUENTIAL)).at(np.array(personalised))
    return Results(
        sample=tuple(sequential[:SAMPLE]),
        sources=count_sources([*sequential, *concurrent]),
        revenue=earned(list(compress(sequential, personalised)), players, offers, first),
        latencies=(latency(sequential, 1), latency(concurrent, CALLERS)),
        decisions=len(answers),
        outcomes=len(outcomes),
        explained=explained[0],
    )


def _print(results: Results, began: datetime, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(results), **read_log(began, results.explained)}))
        return
    show(results, Console())
    show_log(began, results.explained)


@contextlib.contextmanager
def _sigterm_cancels() -> Iterator[None]:
    """SIGTERM cancels the running task, as Ctrl-C does, so that the mesh is drained."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.dragonfall.demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
