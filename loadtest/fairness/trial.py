"""The trial: polite callers alone and beside a flood, and a critical caller beside an overload."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.errors import ungrouped
from loadtest.fairness.mesh import SUPERVISOR, Running, token_of
from loadtest.fairness.sender import Job, Sending, Sent, read_sent
from loadtest.generators import arrivals
from loadtest.measurement import meters
from loadtest.measurement.latency import percentiles
from loadtest.workloads import SimulatedEnsemble, player_ids
from mesh.process import Launch, running

DEADLINE_MS = 300.0
HEAD_START_S = 4.0  # for the start and the connections of the senders
WARM_UP_S = 2.0  # of a phase, which is not counted
SLACK_S = 20.0
FLOOD_NICENESS = 19  # the generator of a flood must not take the CPU of the supervisor
FLOOD_CONNECTIONS = 8
MAX_UNANSWERED = 4096
FLOOD, CRITICAL = "flood", "critical"
POLITE = tuple(f"polite-{number}" for number in range(1, 10))
OTHERS = tuple(f"other-{number}" for number in range(1, 6))
CALLERS = {**{name: {} for name in (*POLITE, FLOOD, *OTHERS)}, CRITICAL: {"critical": True}}


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests per second of each caller. The `watched` callers are judged; the others only make load."""

    name: str
    watched: Mapping[str, float]
    load: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """The answers of one phase: classes and p99 of the watched callers, classes of the load, and CPU use in cores."""

    phase: Phase
    watched: Counter[str]
    p50_ms: float
    p99_ms: float
    load: Counter[str]
    seconds: float
    cores: Mapping[str, float]
    failures: Counter[str] = field(default_factory=Counter)  # of the watched callers, by detail


def phases(capacity_rps: float, polite_share: float, flood_times: float) -> tuple[Phase, Phase, Phase]:
    """The phases for a mesh that answers `capacity_rps`.

    The polite callers use `polite_share` of it. The share of each of ten callers is a tenth; a flood is `flood_times`
    its share.
    """
    polite = {name: polite_share * capacity_rps / len(POLITE) for name in POLITE}
    flood = {FLOOD: flood_times * capacity_rps / (len(POLITE) + 1)}
    overload = {name: 4.7 * capacity_rps / len(OTHERS) for name in OTHERS}
    return (
        Phase("polite alone", polite, {}),
        Phase("polite beside a flood", polite, flood),
        Phase("critical at 5x overload", {CRITICAL: 0.3 * capacity_rps}, overload),
    )


async def run_phase(mesh: Running, ensemble: SimulatedEnsemble, phase: Phase, seconds: float, seed: int) -> Run:
    """Sends the requests of a phase for `seconds`."""
    all_s = WARM_UP_S + seconds
    with tempfile.TemporaryDirectory(prefix="loadtest-fairness-") as text:
        folder, start_s = Path(text), time.monotonic() + HEAD_START_S
        jobs = {
            name: _job(mesh, ensemble, rates, name, start_s, all_s, seed, folder)
            for name, rates in (("watched", phase.watched), ("load", phase.load))
            if rates
        }
        before_s = {name: meters.cpu_s(pids) for name, pids in mesh.parts.items()}
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                for name, job in jobs.items():
                    group.create_task(_send(name, job, folder, HEAD_START_S + all_s + SLACK_S))
        passed_s = time.monotonic() - start_s
        cores = {name: (meters.cpu_s(pids) - before_s[name]) / passed_s for name, pids in mesh.parts.items()}
        sent = {
            name: [one for one in read_sent(Path(job.answers)) if one.due_s >= WARM_UP_S] for name, job in jobs.items()
        }
    p50_ms, p99_ms = percentiles([one.latency_ms for one in sent["watched"]], 50, 99)
    failures = Counter(f"{one.kind}: {one.detail}" for one in sent["watched"] if one.kind != "full")
    return Run(phase, _kinds(sent["watched"]), p50_ms, p99_ms, _kinds(sent.get("load", [])), seconds, cores, failures)


def _kinds(sent: Sequence[Sent]) -> Counter[str]:
    return Counter(one.kind for one in sent)


def _job(
    mesh: Running,
    ensemble: SimulatedEnsemble,
    rates: Mapping[str, float],
    name: str,
    start_s: float,
    seconds: float,
    seed: int,
    folder: Path,
) -> Job:
    is_load = name == "load"
    sendings = [
        Sending(
            caller,
            token_of(caller),
            arrivals.poisson(rate, seconds, seed * 100 + number).tolist(),
            FLOOD_CONNECTIONS // len(rates) or 1 if is_load else 1,
        )
        for number, (caller, rate) in enumerate(rates.items())
    ]
    return Job(
        address=mesh.address,
        ca=str(mesh.ca),
        server_name=SUPERVISOR,
        method=ensemble.method,
        game=ensemble.game,
        player_ids=player_ids(ensemble.players),
        deadline_ms=DEADLINE_MS,
        start_s=start_s,
        niceness=FLOOD_NICENESS if is_load else 0,
        max_unanswered=MAX_UNANSWERED,
        sendings=sendings,
        answers=str(folder / f"{name}.json"),
    )


async def _send(name: str, job: Job, folder: Path, budget_s: float) -> None:
    path = folder / f"job-{name}.json"
    await asyncio.to_thread(job.write, path)
    command = [sys.executable, "-m", "loadtest.fairness.sender", str(path)]
    # In the session of this process: nice values count only within a session.
    async with running(Launch(f"sender of {name}", command, log=folder / "sender.log", new_session=False)) as sender:
        await sender.event("done", budget_s)
