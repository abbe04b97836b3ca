"""A generator process: `closed` or `open`. Says `measuring` when it is warm, and `done` with what it saw."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping

import uvloop

from loadtest import arrivals, precise_loop, priority
from loadtest.faults import CannotMeasure
from loadtest.generators.callers import Caller, Target, calling
from loadtest.generators.closed_loop import ask_by_turns
from loadtest.generators.open_loop import ask_on_schedule
from loadtest.generators.tally import Tally, Window
from mesh import serving

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
    _say({"event": "done", "seconds": options.seconds, **_told(tally)})
    return 0


async def _generate(options: argparse.Namespace) -> Tally:
    start_s = time.monotonic() + HEAD_START_S + options.warm_up_s
    window = Window(start_s, start_s + options.seconds)
    telling = asyncio.create_task(_tell(window))
    target = Target(options.wire, options.address, options.method, options.game, options.players)
    async with calling(target) as caller:
        tally = await _ask(caller, options, window)
    await telling
    return tally


async def _ask(caller: Caller, options: argparse.Namespace, window: Window) -> Tally:
    if options.loop == "closed":
        return await ask_by_turns(caller, options.callers, options.players, window, options.seed)
    offsets_s = arrivals.poisson(options.rate_rps, options.warm_up_s + options.seconds, options.seed)
    due_s = window.start_s - options.warm_up_s + offsets_s
    return await ask_on_schedule(caller, options.players, due_s, window, options.seed)


async def _tell(window: Window) -> None:
    """Says when the measured time begins and when it is over, for whoever reads meters."""
    await asyncio.sleep(window.start_s - time.monotonic())
    _say({"event": "measuring"})
    await asyncio.sleep(window.end_s - time.monotonic())
    _say({"event": "measured"})


def _told(tally: Tally) -> dict[str, object]:
    return {"latencies_ms": tally.latencies_ms, "slips_ms": tally.slips_ms, "sources": tally.sources}


def _say(event: Mapping[str, object]) -> None:
    print(json.dumps(event), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.generators", description=__doc__)
    parser.add_argument("loop", choices=["closed", "open"])
    parser.add_argument("--wire", choices=["grpc", "http"], default="grpc")
    parser.add_argument("--method", choices=["Score", "GetOffer"], default="Score")
    parser.add_argument("--address", required=True)
    parser.add_argument("--game", default="")
    parser.add_argument("--players", type=int, required=True, help="how many players are asked for")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--rate-rps", type=float, default=1.0, help="open loop: mean arrivals a second")
    parser.add_argument("--warm-up-s", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
