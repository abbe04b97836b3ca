"""A sender process: sends each request when it is due, without waiting for answers, and records the answers.

`python -m loadtest.run.sender JOB_FILE` prints the event `done`, with its CPU time, after the last answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc

from loadtest.game_inputs import is_unknown, message_of
from loadtest.generators import precise_loop, priority
from loadtest.generators.callers import ANSWERS
from loadtest.run.job import Job, Question, read_job
from mesh import serving
from mesh.background import in_background
from mesh.tls.channel import PLAINTEXT, ClientSecurity, client_security, open_aio_channel
from mesh.tls.renewed_channel import RenewedChannel
from mesh.wire import offers_pb2

UNSENT = "UNSENT"
CONNECT_BUDGET_S = 5.0

Sent = tuple[int, float, float, str, bytes]  # number of the request, sent, answered (monotonic), code, answer


def main(arguments: list[str]) -> int:
    """Runs the process; the exit code is 0."""
    serving.follow_parent()
    job = read_job(Path(arguments[0]))
    granted = priority.raised() if job.raises_priority else priority.ORDINARY
    with asyncio.Runner(loop_factory=precise_loop.new_event_loop) as runner:
        sent = runner.run(send(job, client_security({}, os.environ)))
    cpu_s = time.process_time()
    with Path(job.answers).open("w") as file:
        file.writelines(json.dumps(line) + "\n" for line in answer_lines(job, sent))
    print(json.dumps({"event": "done", "cpu_s": cpu_s, "priority": granted}), flush=True)
    return 0


async def send(job: Job, security: ClientSecurity = PLAINTEXT) -> list[Sent]:
    """Sends on schedule. The result has every request, also those not sent because too many were unanswered."""
    sent: list[Sent] = []
    waiting: set[asyncio.Task[None]] = set()
    question = job.question
    requests = [request_of(question, player_id) for player_id in question.player_ids]
    async with _connected(question, job.connections, security) as links, asyncio.TaskGroup() as group:
        gc.collect()
        gc.disable()
        for number, (offset_s, player) in enumerate(zip(job.offsets_s, job.players, strict=True)):
            delay_s = job.start_s + offset_s - time.monotonic()
            if delay_s > 0:
                await asyncio.sleep(delay_s)
            if len(waiting) >= job.max_unanswered:
                now_s = time.monotonic()
                sent.append((number, now_s, now_s, UNSENT, b""))
                continue
            link = links[number % len(links)]
            task = group.create_task(_ask(link, number, requests[player], question.deadline_ms / 1000, sent))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if delay_s <= 0:
                await asyncio.sleep(0)  # a late sender must still receive answers
    return sent


@contextlib.asynccontextmanager
async def _connected(question: Question, connections: int, security: ClientSecurity) -> AsyncIterator[list[_Link]]:
    """Yields links with a connection each, which follow the certificate of the client."""
    async with contextlib.AsyncExitStack() as stack:
        links = [_Link(question, security) for _ in range(connections)]
        for link in links:
            stack.push_async_callback(link.channel.close)
        async with asyncio.timeout(CONNECT_BUDGET_S):
            await asyncio.gather(*(link.channel.ready() for link in links))
        async with in_background(*(link.channel.watch() for link in links if security.ca is not None)):
            yield links


class _Link:
    """One connection. Answers stay bytes until the end of the run: parsing them would delay the next request."""

    def __init__(self, question: Question, security: ClientSecurity) -> None:
        def open_channel() -> grpc.aio.Channel:
            # The token is metadata of each call: gRPC's own way starts a thread for each call.
            return open_aio_channel(question.address, security.without_token(), serving.lane_options())

        def use(channel: grpc.aio.Channel) -> Any:
            return channel.unary_unary(f"/mesh.v1.Offers/{question.method}")

        self.channel: RenewedChannel[Any] = RenewedChannel(open_channel, use, security.files())
        self.metadata = security.metadata


async def _ask(link: _Link, number: int, request: bytes, deadline_s: float, sent: list[Sent]) -> None:
    sent_s = time.monotonic()
    try:
        answer, code = await link.channel.current(request, timeout=deadline_s, metadata=link.metadata()), "OK"
    except grpc.aio.AioRpcError as error:
        answer, code = b"", error.code().name
    sent.append((number, sent_s, time.monotonic(), code, answer))


def request_of(question: Question, player_id: str) -> bytes:
    """The encoded request for one player."""
    message = message_of(question.inputs, question.method, player_id, question.version)
    return bytes(message.SerializeToString())


def answer_lines(job: Job, sent: list[Sent]) -> Iterator[dict[str, Any]]:
    """The lines of the file of answers, one per request; times count from the start of the run."""
    parse = ANSWERS[job.question.method].FromString
    for number, sent_s, answered_s, code, answer in sent:
        line = {
            "player_id": job.question.player_ids[job.players[number]],
            "due_s": job.offsets_s[number],
            "sent_s": sent_s - job.start_s,
            "answered_s": answered_s - job.start_s,
            "code": code,
        }
        yield line | (_contents(parse(answer)) if code == "OK" else {})


def _contents(answer: Any) -> dict[str, Any]:
    times = answer.timings
    return {
        "source": offers_pb2.Source.Name(answer.source),
        "reason": answer.reason.partition(":")[0],
        "version": answer.version,
        "missing": [missing.model for missing in answer.missing_models],
        "stages_ms": [times.queue_ms, times.features_ms, times.fan_out_ms, times.combine_ms, times.total_ms],
        "last_model": times.last_model,
        "is_unknown": is_unknown(answer),
        "scores": _scores(answer),
        "is_explored": isinstance(answer, offers_pb2.GetOfferResponse) and answer.explored,
    }


def _scores(answer: offers_pb2.ScoreResponse | offers_pb2.GetOfferResponse) -> list[list[Any]]:
    if isinstance(answer, offers_pb2.ScoreResponse):
        return [[answer.offer_id, answer.score if answer.HasField("score") else None]]
    return [[offer.offer_id, offer.score if offer.HasField("score") else None] for offer in answer.offers]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
