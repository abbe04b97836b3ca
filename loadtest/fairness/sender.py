"""`python -m loadtest.fairness.sender JOB`: sends the requests of several callers on schedule, each with its own token.

Prints the event `ready` once it is connected, and `done` after the last answer; the answers are in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import grpc

from loadtest.generators import precise_loop
from loadtest.run.answers import Answer, class_of
from loadtest.workloads import Method
from mesh import serving
from mesh.tls.channel import ClientSecurity, open_aio_channel
from mesh.tls.token import HEADER
from mesh.wire import offers_pb2

CONNECT_BUDGET_S = 10.0


@dataclass(frozen=True, slots=True)
class Sending:
    """The requests of one caller: request i is due `offsets_s[i]` after the start, over `connections` in turn."""

    caller: str
    token: str
    offsets_s: Sequence[float]
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """The requests of one process; `start_s` is monotonic, `answers` the file for their answers.

    At most `max_unanswered` requests are under way; those above it are not sent. `niceness` is of the process.
    """

    address: str
    ca: str
    server_name: str
    method: Method
    game: str
    player_ids: Sequence[str]
    deadline_ms: float
    start_s: float
    niceness: int
    max_unanswered: int
    sendings: Sequence[Sending]
    answers: str

    def write(self, path: Path) -> None:
        """Writes the job to a file."""
        path.write_text(json.dumps(asdict(self)))


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: its caller, the class of its answer (see `class_of`), and its latency from the due time.

    `detail` is the code of a call that failed, or the reason in an answer.
    """

    caller: str
    kind: str
    latency_ms: float
    due_s: float
    detail: str = ""


def read_job(path: Path) -> Job:
    """Reads a job that `write` wrote."""
    fields = json.loads(path.read_text())
    return Job(**{**fields, "sendings": [Sending(**one) for one in fields["sendings"]]})


def read_sent(path: Path) -> list[Sent]:
    """Reads the answers of a process."""
    return [Sent(*fields) for fields in json.loads(path.read_text())]


def main(arguments: list[str]) -> int:
    """Runs the process; the exit code is 0."""
    serving.follow_parent()
    job = read_job(Path(arguments[0]))
    os.setpriority(os.PRIO_PROCESS, 0, job.niceness)
    with asyncio.Runner(loop_factory=precise_loop.new_event_loop) as runner:
        sent = runner.run(_send_all(job))
    Path(job.answers).write_text(json.dumps([astuple(one) for one in sent]))
    print(json.dumps({"event": "done", "cpu_s": time.process_time()}), flush=True)
    return 0


async def _send_all(job: Job) -> list[Sent]:
    sent: list[Sent] = []
    room = asyncio.Semaphore(job.max_unanswered)
    async with contextlib.AsyncExitStack() as stack:
        links = [await stack.enter_async_context(_connected(job, one.connections)) for one in job.sendings]
        gc.collect()
        gc.disable()
        async with asyncio.TaskGroup() as group:
            for sending, calls in zip(job.sendings, links, strict=True):
                group.create_task(_send(job, sending, calls, room, sent))
    return sent


@contextlib.asynccontextmanager
async def _connected(job: Job, connections: int) -> AsyncIterator[list[Any]]:
    """Yields the call of the method on each connection."""
    security = ClientSecurity(ca=Path(job.ca), server_name=job.server_name)
    async with contextlib.AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(open_aio_channel(job.address, security, serving.lane_options()))
            for _ in range(connections)
        ]
        async with asyncio.timeout(CONNECT_BUDGET_S):
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
        yield [channel.unary_unary(f"/mesh.v1.Offers/{job.method}") for channel in channels]


async def _send(job: Job, sending: Sending, calls: list[Any], room: asyncio.Semaphore, sent: list[Sent]) -> None:
    options = {"timeout": job.deadline_ms / 1000, "metadata": ((HEADER, f"Bearer {sending.token}"),)}
    requests = [
        offers_pb2.ScoreRequest(game=job.game, player_id=player_id).SerializeToString() for player_id in job.player_ids
    ]
    async with asyncio.TaskGroup() as group:
        for number, offset_s in enumerate(sending.offsets_s):
            await asyncio.sleep(max(0.0, job.start_s + offset_s - time.monotonic()))
            if room.locked():
                sent.append(Sent(sending.caller, "unsent", 0.0, offset_s))
                continue
            await room.acquire()
            call, request = calls[number % len(calls)], requests[number % len(requests)]
            group.create_task(_ask(job, sending, offset_s, call(request, **options), room, sent))


async def _ask(job: Job, sending: Sending, due_s: float, asked: Any, room: asyncio.Semaphore, sent: list[Sent]) -> None:
    sent_s, code, answer = time.monotonic() - job.start_s, "OK", offers_pb2.ScoreResponse()
    try:
        answer = offers_pb2.ScoreResponse.FromString(await asked)
    except grpc.aio.AioRpcError as error:
        code = error.code().name
    room.release()
    source, reason = offers_pb2.Source.Name(answer.source), answer.reason.partition(":")[0]
    detail = answer.reason if code == "OK" else code
    found = Answer("", due_s, sent_s, time.monotonic() - job.start_s, code, source, reason)
    sent.append(Sent(sending.caller, class_of(found, job.deadline_ms, is_wrong=False), found.latency_ms, due_s, detail))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
