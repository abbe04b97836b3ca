"""The trial: steady load on both supervisors while every certificate and the CA change, beside bad peers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.generators import arrivals
from loadtest.measurement.latency import percentiles
from loadtest.rotation.bad_peers import BadPeers, Place, Port, Refusal
from loadtest.rotation.world import World
from loadtest.run.answers import Answer, class_of
from loadtest.run.check import check_answers
from loadtest.run.job import Question
from loadtest.run.measurement import HEAD_START_S, Setting, ask_all
from loadtest.workloads import TrainedEnsemble, player_ids
from mesh.catalog import catalog as catalogs
from mesh.reference.oracle import Oracle
from mesh.reference.players import SqlitePlayers
from mesh.tls.throwaway import new_authority

CA_STEPS = 3
MOST_OTHERS = 20
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """`renewals` of every certificate and a change of the CA, `step_s` apart, under `rate_rps` in all.

    A process takes new files after two looks, a second each; then its lanes are replaced within 4 s.
    """

    rate_rps: float
    renewals: int = 10
    step_s: float = 8.0
    deadline_ms: float = 1000.0

    @property
    def steps(self) -> int:
        """The number of changes."""
        return self.renewals + CA_STEPS

    @property
    def seconds(self) -> float:
        """The duration of the load."""
        return (self.steps + 1) * self.step_s


@dataclass(frozen=True, slots=True)
class Result:
    """`classes` count the answers, and `others` describe the first that were not full.

    `changes` is how many times each process has used a new certificate or CA. `refusals` are those of all bad peers in
    all steps; `rogue_calls` count the calls to servers that pose as replicas. `late_s` is how long after the load the
    last change was in use; negative if before its end.
    """

    answers: int
    classes: Counter[str]
    p50_ms: float
    p99_ms: float
    steps: int
    changes: dict[str, int]
    refusals: list[Refusal]
    rogue_calls: dict[str, int]
    others: list[str] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)
    tracebacks: int = 0
    late_s: float = 0.0


async def rotate(
    world: World, ensemble: TrainedEnsemble, bad_peers: BadPeers, schedule: Schedule, progress: Progress
) -> Result:
    """Changes every certificate and the CA by `schedule`, has bad peers call at each step, and checks every answer."""
    before = world.changes()
    asking = [
        asyncio.create_task(_ask(world, ensemble, number, schedule)) for number, _ in enumerate(world.supervisors)
    ]
    began_s = time.monotonic() + HEAD_START_S
    await asyncio.sleep(HEAD_START_S)
    refusals: list[Refusal] = []
    for number, (name, step) in enumerate(_steps(world, schedule.renewals), start=1):
        progress(f"{name} ({number} of {schedule.steps})")
        step()
        refusals += await bad_peers.try_all()
        await asyncio.sleep(max(0.0, began_s + number * schedule.step_s - time.monotonic()))
        await world.settled({name: count + number for name, count in before.items()})
    late_s = time.monotonic() - began_s - schedule.seconds
    answers = [answer for task in asking for answer in await task]
    return await asyncio.to_thread(_judged, world, ensemble, schedule, answers, before, refusals, late_s)


def _steps(world: World, renewals: int) -> list[tuple[str, Callable[[], None]]]:
    own, before, new = world.certificates, world.certificates.authority, new_authority(name="new CA")

    def issue_by_new() -> None:
        own.authority = new
        own.renew()

    return [
        *[(f"renewal {number}", own.renew) for number in range(1, renewals + 1)],
        ("CA: both are trusted", lambda: own.trust(before, new)),
        ("CA: certificates of the new one", issue_by_new),
        ("CA: only the new one is trusted", lambda: own.trust(new)),
    ]


async def _ask(world: World, ensemble: TrainedEnsemble, number: int, schedule: Schedule) -> list[Answer]:
    rate_rps, seconds = schedule.rate_rps / len(world.supervisors), schedule.seconds
    address, players = world.supervisors[number].address, player_ids(ensemble.players)
    question = Question(address, ensemble.method, ensemble.game, "", schedule.deadline_ms, {}, players)
    setting = Setting(question, 1, 1000, number, None, raises_priority=False, security=world.security)
    answers, _ = await ask_all(setting, arrivals.poisson(rate_rps, seconds, number), seconds)
    return answers


def _judged(
    world: World,
    ensemble: TrainedEnsemble,
    schedule: Schedule,
    answers: Sequence[Answer],
    before: dict[str, int],
    refusals: list[Refusal],
    late_s: float,
) -> Result:
    oracle = Oracle(
        catalogs.load(world.folder / "mesh.yaml"), SqlitePlayers(world.folder / "players.sqlite"), lambda _: {}
    )
    wrong = check_answers(answers, oracle, ensemble.method == "GetOffer", lambda _: None).wrong
    p50_ms, p99_ms = percentiles([answer.latency_ms for answer in answers], 50, 99)
    classes = [class_of(one, schedule.deadline_ms, position in wrong) for position, one in enumerate(answers)]
    others = [_described(one, kind) for one, kind in zip(answers, classes, strict=True) if kind != "full"]
    return Result(
        answers=len(answers),
        classes=Counter(classes),
        others=others[:MOST_OTHERS],
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        steps=schedule.steps,
        changes={name: count - before[name] for name, count in world.changes().items()},
        refusals=refusals,
        rogue_calls=dict(world.rogues.calls),
        dead=world.dead(),
        tracebacks=sum(_tracebacks(log) for log in world.logs().values()),
        late_s=late_s,
    )


def _described(answer: Answer, kind: str) -> str:
    missing = f" without {', '.join(answer.missing)}" if answer.missing else ""
    reason = answer.reason or answer.code
    return f"{kind} after {answer.due_s:.1f} s: {reason}{missing}, {answer.latency_ms:.0f} ms"


def _tracebacks(log: Path) -> int:
    return log.read_text(errors="replace").count("Traceback")


def bad_peers_of(world: World) -> BadPeers:
    """The bad peers of both kinds of ports: the first supervisor, and a worker of the first model."""
    worker = world.workers[0]
    places: dict[Port, Place] = {
        "supervisor": Place(world.supervisors[0].address, f"supervisor.{world.game}.mesh"),
        "worker": Place(worker["address"], f"worker.{world.game}.mesh"),
    }
    return BadPeers(world.certificates, world.game, worker["model"], places)
