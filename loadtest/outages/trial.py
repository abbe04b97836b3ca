"""Runs one outage after another against a running mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from emulators.faults import Fault
from loadtest.measurement.plan import Plan
from loadtest.outages.client import Client, channel_to
from loadtest.outages.kinds import OutageKind
from loadtest.outages.verdict import Record, Verdict, verdict_of
from loadtest.outages.world import CACHE_TTL_S, ENSEMBLE, World, running_world
from loadtest.workloads import TrainedEnsemble

RATE_RPS = 100.0
KNOWN_SHARE = 0.8  # of the players; the other players are first asked for during the outage


@dataclass(frozen=True, slots=True)
class Phases:
    """The durations of a trial: normal operation, the outage, and the time after it."""

    outage_s: float
    normal_s: float = 5.0
    after_s: float = 3.0


async def try_all(
    kinds: Mapping[str, OutageKind], plan: Plan, phases: Phases, ensemble: TrainedEnsemble = ENSEMBLE
) -> Mapping[str, Verdict]:
    """One outage after another, each with players who were not asked for before."""
    verdicts: dict[str, Verdict] = {}
    async with running_world(plan, ensemble) as world:
        players = list(world.scores)
        share = len(players) // len(kinds)
        for number, (name, kind) in enumerate(kinds.items()):
            plan.progress(f"{name} for {phases.outage_s:g} s")
            verdicts[name] = await _try(
                kind, world, ensemble.game, players[number * share : (number + 1) * share], phases
            )
    return verdicts


async def _try(kind: OutageKind, world: World, game: str, players: list[str], phases: Phases) -> Verdict:
    loop = asyncio.get_running_loop()
    known = players[: round(len(players) * KNOWN_SHARE)]
    async with channel_to(world.address) as channel:
        client, of_known = Client(channel, game, players), Client(channel, game, known)
        await of_known.ask_each(RATE_RPS)
        before = _requests(world)
        await of_known.ask_at_random(RATE_RPS, kind.burst, phases.normal_s)
        normal_per_s = (_requests(world) - before) / phases.normal_s

        at_change, changed_s = _requests(world), loop.time()
        world.store.set(Fault(kind.fault.kind, kind.fault.share, kind.fault.delay_ms, later=True))
        responses = await client.ask_at_random(RATE_RPS, kind.burst, phases.outage_s)
        requests = _requests(world) - at_change
        world.store.set(Fault(later=True))
        ended_s = loop.time()
        responses += await client.ask_at_random(RATE_RPS, kind.burst, phases.after_s)
    world.store.set(Fault())
    normal = round(normal_per_s * phases.outage_s)
    return verdict_of(Record(responses, changed_s, ended_s, CACHE_TTL_S + 0.1, requests, normal), world.scores)


def _requests(world: World) -> int:
    return int(world.store.counts()["requests"])
