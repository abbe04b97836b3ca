"""The generator process: a closed or an open loop; prints `measuring`, `measured` and, with the results, `done`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping

import uvloop

from loadtest.errors import CannotMeasure
from loadtest.generators import arrivals, precise_loop, priority
from loadtest.generators.callers import Caller, Target, calling
from loadtest.generators.closed_loop import ask_by_turns
from loadtest.generators.open_loop import ask_on_schedule
from loadtest.generators.tally import Tally, Window
from mesh import serving
from mesh.tls.channel import client_security

# Time for the callers to be made and connected before the first request is due.
HEAD_START_S = 0.3


def main() -> int:
    serving.follow_parent()
    options = _parser().parse_args()
    if options.loop == "open":
        priority.raised()
    new_loop: Callable[[], asyncio.AbstractEventLoop] = (
        uvloop.new_event_loop if options.loop == "closed" else precise_loop.new_event_loop
    )
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            tally = runner.run(_generate(options))
    except (CannotMeasure, KeyboardInterrupt) as error:
        print(error, file=sys.stderr)
        return 1
    _print({"event": "done", "seconds": options.seconds, **_results(tally)})
    return 0


async def _generate(options: argparse.Namespace) -> Tally:
    start_s = time.monotonic() + HEAD_START_S + options.warm_up_s
    window = Window(start_s, start_s + options.seconds)
    announcement = asyncio.create_task(_announce(window))
    target = Target(options.wire, options.address, options.method, options.game, options.players)
    async with calling(target, client_security({}, os.environ)) as caller:
        tally = await _ask(caller, options, window)
    await announcement
    return tally


async def _ask(caller: Caller, options: argparse.Namespace, window: Window) -> Tally:
    if options.loop == "closed":
        return await ask_by_turns(caller, options.callers, options.players, window, options.seed)
    offsets_s = arrivals.poisson(options.rate_rps, options.warm_up_s + options.seconds, options.seed)
    due_s = window.start_s - options.warm_up_s + offsets_s
    return await ask_on_schedule(caller, options.players, due_s, window, options.seed)


async def _announce(window: Window) -> None:
    """Prints an event at the start and at the end of the measured time, for readers of meters."""
    await asyncio.sleep(window.start_s - time.monotonic())
    _print({"event": "measuring"})
    await asyncio.sleep(window.end_s - time.monotonic())
    _print({"event": "measured"})


def _results(tally: Tally) -> dict[str, object]:
    return {"latencies_ms": tally.latencies_ms, "slips_ms": tally.slips_ms, "sources": tally.sources}


def _print(event: Mapping[str, object]) -> None:
    print(json.dumps(event), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.generators", description=__doc__)
    parser.add_argument("loop", choices=["closed", "open"])
    parser.add_argument("--wire", choices=["grpc", "http"], default="grpc")
    parser.add_argument("--method", choices=["Score", "GetOffer"], default="Score")
    parser.add_argument("--address", required=True)
    parser.add_argument("--game", default="")
    parser.add_argument("--players", type=int, required=True, help="number of players to draw from")
    parser.add_argument("--callers", type=int, default=1, help="closed loop: number of concurrent callers")
    parser.add_argument("--rate-rps", type=float, default=1.0, help="open loop: mean arrivals per second")
    parser.add_argument("--warm-up-s", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
