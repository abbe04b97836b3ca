"""One run: sender processes against the mesh; their answers are collected, checked and summarised."""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from loadtest.errors import CannotMeasure, ungrouped
from loadtest.generators.callers import ANSWERS
from loadtest.generators.popularity import zipf
from loadtest.measurement import meters
from loadtest.run.answers import Answer, class_of, read_answers
from loadtest.run.check import Verdict, check_answers
from loadtest.run.job import Job, Question
from loadtest.run.sender import request_of
from loadtest.run.summary import Generator, Summary, summarise
from loadtest.simulated.service_times import Seconds
from mesh import serving
from mesh.process import Event, Launch, running
from mesh.reference.oracle import Oracle
from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.tls.connection_fault import connection_fault

HEAD_START_S = 2.0  # for the start and the connection of the senders
CONNECT_BUDGET_S = 3.0
FIRST_ANSWER_BUDGET_S = 10.0
SLACK_S = 30.0  # for the last answers to be written
_REQUEST_OPTIONS = "--game, --version, --context, --method and the candidates"
_CALLER_OPTIONS = "--tls-cert, --tls-key and --token-file, and `callers` in the catalog"
WRONG_REQUEST = {  # and the options to check
    **dict.fromkeys(("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"), _REQUEST_OPTIONS),
    **dict.fromkeys(("UNAUTHENTICATED", "PERMISSION_DENIED"), _CALLER_OPTIONS),
}
ZIPF_EXPONENT = 1.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that are the same for all runs of a command."""

    question: Question
    processes: int
    max_unanswered: int
    seed: int
    oracle: Oracle | None
    connections: int = 1
    raises_priority: bool = True
    security: ClientSecurity = PLAINTEXT


async def must_answer(question: Question, security: ClientSecurity = PLAINTEXT) -> None:
    """Raises CannotMeasure, with the reason, if nothing answers at the address or the mesh refuses the request."""
    async with open_aio_channel(question.address, security.without_token(), serving.lane_options()) as channel:
        try:
            async with asyncio.timeout(CONNECT_BUDGET_S):
                await channel.channel_ready()
        except TimeoutError:
            fault = await asyncio.to_thread(connection_fault, question.address, security)
            reason = f"cannot connect to {question.address} within {CONNECT_BUDGET_S:g} s"
            raise CannotMeasure(fault or f"{reason}; start a mesh (`make up`) or set --address") from None
        call: Any = channel.unary_unary(
            f"/mesh.v1.Offers/{question.method}", response_deserializer=ANSWERS[question.method].FromString
        )
        try:
            request = request_of(question, question.player_ids[0])
            await call(request, timeout=FIRST_ANSWER_BUDGET_S, metadata=security.metadata())
        except grpc.aio.AioRpcError as error:
            if error.code().name in WRONG_REQUEST:
                reason = f"the mesh refuses the request: {error.code().name}: {error.details()}"
                raise CannotMeasure(f"{reason}; check {WRONG_REQUEST[error.code().name]}") from None


async def measure(setting: Setting, offsets_s: Seconds, seconds: float, progress: Progress) -> Summary:
    """Sends one request at each of `offsets_s` (ascending, from 0), and summarises the answers."""
    answers, generator = await ask_all(setting, offsets_s, seconds)
    verdict: Verdict | None = None
    if setting.oracle is not None:
        is_ranked, report = setting.question.method == "GetOffer", _every_second(progress, len(answers))
        verdict = await asyncio.to_thread(check_answers, answers, setting.oracle, is_ranked, report)
    deadline_ms = setting.question.deadline_ms
    wrong = verdict.wrong if verdict else frozenset()
    classes = [class_of(answer, deadline_ms, position in wrong) for position, answer in enumerate(answers)]
    return replace(summarise(answers, classes, seconds, generator), verdict=verdict)


async def ask_all(setting: Setting, offsets_s: Seconds, seconds: float) -> tuple[list[Answer], Generator]:
    """Sends one request at each of `offsets_s`; returns the answers in this order, and the load of the senders."""
    answers, senders = await _send(setting, offsets_s, seconds)
    cpu = max(float(sender["cpu_s"]) for sender in senders) / max(seconds, 1e-3)
    return answers, Generator(len(senders), cpu, str(senders[0]["priority"]))


async def ask_all_metered(
    setting: Setting, offsets_s: Seconds, seconds: float, parts: Mapping[str, Sequence[int]]
) -> tuple[list[Answer], Generator, dict[str, float]]:
    """Does what `ask_all` does; also returns the CPU use of each of `parts`, process ids by name, in cores."""
    before_s, began_s = {name: meters.cpu_s(pids) for name, pids in parts.items()}, time.monotonic()
    answers, generator = await ask_all(setting, offsets_s, seconds)
    passed_s = time.monotonic() - began_s
    cores = {name: (meters.cpu_s(pids) - before_s[name]) / passed_s for name, pids in parts.items()}
    return answers, generator, cores


async def _send(setting: Setting, offsets_s: Seconds, seconds: float) -> tuple[list[Answer], list[Event]]:
    with tempfile.TemporaryDirectory(prefix="loadtest-run-") as folder:
        jobs = jobs_of(setting, offsets_s, time.monotonic() + HEAD_START_S, Path(folder))
        budget_s = HEAD_START_S + seconds + setting.question.deadline_ms / 1000 + SLACK_S
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                senders = [
                    group.create_task(_sender(job, number, Path(folder), setting.security, budget_s))
                    for number, job in enumerate(jobs)
                ]
        answers = [answer for job in jobs for answer in read_answers(Path(job.answers))]
    return sorted(answers, key=lambda answer: answer.due_s), [sender.result() for sender in senders]


def jobs_of(setting: Setting, offsets_s: Seconds, start_s: float, folder: Path) -> list[Job]:
    """Distributes the schedule over the processes in turn; draws the players by Zipf's law."""
    rng = np.random.default_rng(setting.seed)
    count = len(setting.question.player_ids)
    players = rng.choice(count, size=len(offsets_s), p=zipf(count, ZIPF_EXPONENT))
    return [
        Job(
            question=setting.question,
            start_s=start_s,
            offsets_s=offsets_s[number :: setting.processes].tolist(),
            players=players[number :: setting.processes].tolist(),
            max_unanswered=max(1, setting.max_unanswered // setting.processes),
            connections=math.ceil(setting.connections / setting.processes),
            raises_priority=setting.raises_priority,
            answers=str(folder / f"answers-{number}.jsonl"),
        )
        for number in range(min(setting.processes, len(offsets_s)))
    ]


async def _sender(job: Job, number: int, folder: Path, security: ClientSecurity, budget_s: float) -> Event:
    # A file, because a schedule of a million requests is too long for a command line.
    path = folder / f"job-{number}.json"
    await asyncio.to_thread(job.write, path)
    async with running(_launch(number, path, folder, security)) as program:
        return await program.event("done", budget_s)


def _launch(number: int, job: Path, folder: Path, security: ClientSecurity) -> Launch:
    command = [sys.executable, "-m", "loadtest.run.sender", str(job)]
    return Launch(f"sender {number}", command, Path.cwd(), folder / f"sender-{number}.log", security.environment())


def _every_second(progress: Progress, total: int) -> Callable[[int], None]:
    reported_s = time.monotonic()

    def report(done: int) -> None:
        nonlocal reported_s
        if time.monotonic() - reported_s >= 1.0 or done == total:
            reported_s = time.monotonic()
            progress(f"compared {done:,} of {total:,} answers with LightGBM")

    return report
