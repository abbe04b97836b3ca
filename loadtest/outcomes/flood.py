"""`python -m loadtest.outcomes.flood`: reports outcomes for some seconds, and prints the counts as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import grpc

from mesh.decision_id import new_id
from mesh.tls.channel import client_security, open_aio_channel
from mesh.wire import offers_pb2, offers_pb2_grpc

NICENESS = 19  # the sender must not take the CPU of the supervisor
SENDERS = 64
DEADLINE_S = 1.0
CALLS, STREAM = "calls", "stream"
TAKEN, DUPLICATE = "taken", "duplicate"


def main(arguments: list[str]) -> int:
    """Runs the flood; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("game")
    parser.add_argument("kind", choices=(CALLS, STREAM))
    parser.add_argument("rate", type=float, help="reports per second; 0: as many as the mesh takes")
    parser.add_argument("seconds", type=float)
    options = parser.parse_args(arguments)
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    print(json.dumps({"event": "counts", **asyncio.run(_flood(options))}), flush=True)
    return 0


async def _flood(options: argparse.Namespace) -> Counter[str]:
    counts: Counter[str] = Counter()
    stop = asyncio.Event()
    reports, pace = _reports(options.game), Pace(options.rate)
    channel_options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    security = client_security({}, os.environ)
    async with open_aio_channel(options.address, security, channel_options) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        await channel.channel_ready()
        print(json.dumps({"event": "ready"}), flush=True)
        asyncio.get_running_loop().call_later(options.seconds, stop.set)
        if options.kind == STREAM:
            senders = [_stream(stub, reports, pace, stop, counts)]
        else:
            senders = [_call(stub, reports, pace, stop, counts) for _ in range(SENDERS)]
        await asyncio.gather(*senders)
    return counts


class Pace:
    """Spreads reports evenly over the time."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next_s = time.monotonic()

    async def turn(self) -> None:
        """Waits until the next report is due."""
        if not self._rate:
            return
        self._next_s += 1 / self._rate
        if (left_s := self._next_s - time.monotonic()) > 0:
            await asyncio.sleep(left_s)


async def _call(
    stub: offers_pb2_grpc.OffersStub,
    reports: Iterator[offers_pb2.ReportOutcomeRequest],
    pace: Pace,
    stop: asyncio.Event,
    counts: Counter[str],
) -> None:
    while not stop.is_set():
        await pace.turn()
        try:
            answer = await stub.ReportOutcome(next(reports), timeout=DEADLINE_S)
            counts[DUPLICATE if answer.duplicate else TAKEN] += 1
        except grpc.aio.AioRpcError as error:
            counts[error.code().name] += 1


async def _stream(
    stub: offers_pb2_grpc.OffersStub,
    reports: Iterator[offers_pb2.ReportOutcomeRequest],
    pace: Pace,
    stop: asyncio.Event,
    counts: Counter[str],
) -> None:
    async def paced() -> AsyncIterator[offers_pb2.ReportOutcomeRequest]:
        while not stop.is_set():
            await pace.turn()
            yield next(reports)

    while not stop.is_set():
        try:
            async for answer in stub.StreamOutcomes(paced()):
                counts[f"error {answer.error.code}" if answer.HasField("error") else TAKEN] += 1
        except grpc.aio.AioRpcError as error:
            counts[error.code().name] += 1


def _reports(game: str) -> Iterator[offers_pb2.ReportOutcomeRequest]:
    while True:
        one = new_id()
        yield offers_pb2.ReportOutcomeRequest(
            game=game, outcome_id=f"{one}-shown", decision_id=one, kind=offers_pb2.SHOWN
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
