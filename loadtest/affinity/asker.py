"""Asks several supervisors for players by their popularity: with one client for all, or each supervisor in turn."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack

import numpy as np
from ensemble_mesh_client import OfferClient

from loadtest.affinity import AFFINITY, ROUND_ROBIN
from loadtest.generators.popularity import zipf


async def main(options: argparse.Namespace) -> None:
    """Prints `ready`, `warm` after `warm_s`, and `done` with the counts of the answers by source."""
    random = np.random.default_rng(options.seed)
    total = int(options.rate * (options.warm_s + options.seconds))
    players = random.choice(options.players, size=total, p=zipf(options.players, options.exponent))
    targets = options.targets.split(",")
    sources: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        groups = [targets] if options.order == AFFINITY else [[target] for target in targets]
        clients = [
            await stack.enter_async_context(OfferClient(group, game=options.game, fallback=options.fallback))
            for group in groups
        ]
        print(json.dumps({"event": "ready"}), flush=True)

        async def ask(number: int) -> None:
            answer = await clients[number % len(clients)].get_offer(f"player-{players[number]:05}")
            sources[answer.source.value] += 1

        began_s, is_warm = time.perf_counter(), False
        async with asyncio.TaskGroup() as tasks:
            for number in range(total):
                await asyncio.sleep(max(0.0, began_s + number / options.rate - time.perf_counter()))
                if not is_warm and number >= options.rate * options.warm_s:
                    is_warm = True
                    print(json.dumps({"event": "warm"}), flush=True)
                tasks.create_task(ask(number))
    print(json.dumps({"event": "done", "sources": sources}), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--targets", "--game", "--fallback"):
        parser.add_argument(name, required=True)
    parser.add_argument("--order", choices=(AFFINITY, ROUND_ROBIN), required=True)
    for name in ("--rate", "--seconds", "--warm-s", "--exponent"):
        parser.add_argument(name, type=float, required=True)
    for name in ("--players", "--seed"):
        parser.add_argument(name, type=int, required=True)
    return parser


if __name__ == "__main__":
    asyncio.run(main(_parser().parse_args()))
