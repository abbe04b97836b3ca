"""`python -m loadtest outages`: the store of players fails in every way, and every answer is held against the truth."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emulators.faults import Fault
from loadtest import interruption, machine
from loadtest.options import positive_float
from loadtest.outages.asking import Asker, channel_to
from loadtest.outages.verdict import Outage, Verdict, verdict_of
from loadtest.outages.ways import WAYS, Way
from loadtest.outages.world import CACHE_TTL_S, ENSEMBLE, World, running_world
from loadtest.plan import Findings, Plan, plan_of
from mesh.cli.console import stdout

MEASURED, FAULTY = 0, 1
RATE_RPS = 100.0
NORMAL_S, AFTER_S = 5.0, 3.0
KNOWN_SHARE = 0.8  # of the players: the others are asked for by nobody before the outage
MAX_RECOVERY_S, MAX_REQUESTS_SHARE = 2.0, 1.1


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code is 0 as it should be, 1 not so, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, said, findings)
    plan.logs.mkdir(parents=True, exist_ok=True)
    plan.progress(machine.described())
    ways = {name: way for name, way in WAYS.items() if options.only in (None, way.fault.kind)}
    verdicts = interruption.run(try_all(ways, plan, options.seconds))
    if options.json:
        print(json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()}))
    else:
        stdout().print(_table(verdicts))
    for name, verdict in verdicts.items():
        for fault in faults_of(verdict, throttled=name == "throttled"):
            plan.fault(f"{name}: {fault}")
    findings.tell(said)
    return FAULTY if findings.faults else MEASURED


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    kinds = sorted({way.fault.kind for way in WAYS.values()})
    parser.add_argument("--only", choices=kinds, help="one kind of fault instead of all")
    parser.add_argument("--seconds", type=positive_float, default=30.0, help="of each outage (default 30)")
    parser.set_defaults(rounds=1)
    parser.add_argument("--json", action="store_true", help="the verdicts on stdout instead of the table")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")


async def try_all(ways: Mapping[str, Way], plan: Plan, seconds: float) -> Mapping[str, Verdict]:
    """One outage after another, each with players of its own that nobody has asked for before."""
    verdicts: dict[str, Verdict] = {}
    async with running_world(plan) as world:
        players = list(world.scores)
        share = len(players) // len(ways)
        for number, (name, way) in enumerate(ways.items()):
            plan.progress(f"{name} for {seconds:g} s")
            verdicts[name] = await _try(way, world, players[number * share : (number + 1) * share], seconds)
    return verdicts


async def _try(way: Way, world: World, players: list[str], seconds: float) -> Verdict:
    loop = asyncio.get_running_loop()
    known = players[: round(len(players) * KNOWN_SHARE)]
    async with channel_to(world.address) as channel:
        asker, regulars = Asker(channel, ENSEMBLE.game, players), Asker(channel, ENSEMBLE.game, known)
        await regulars.ask_each(RATE_RPS)
        before = _requests(world)
        await regulars.ask_all(RATE_RPS, way.burst, NORMAL_S)
        normal_a_s = (_requests(world) - before) / NORMAL_S

        begun, changed_s = _requests(world), loop.time()
        world.store.set(Fault(way.fault.kind, way.fault.share, way.fault.delay_ms, later=True))
        heard = await asker.ask_all(RATE_RPS, way.burst, seconds)
        requests = _requests(world) - begun
        world.store.set(Fault(later=True))
        ended_s = loop.time()
        heard += await asker.ask_all(RATE_RPS, way.burst, AFTER_S)
    world.store.set(Fault())
    normal = round(normal_a_s * seconds)
    outage = Outage(heard, changed_s, ended_s, CACHE_TTL_S + 0.1, requests, normal)
    return verdict_of(outage, world.scores)


def _requests(world: World) -> int:
    return int(world.store.counts()["requests"])


def faults_of(verdict: Verdict, *, throttled: bool) -> list[str]:
    """What is not as it should be."""
    found = [f"untrue: {said}" for said in verdict.untrue]
    if verdict.errors:
        found.append(f"errors: {dict(verdict.errors)}")
    if verdict.late:
        found.append(f"{verdict.late} of {verdict.answers} answers came after their deadline")
    if verdict.recovery_s > MAX_RECOVERY_S:
        found.append(f"the last answer that was not fresh was asked for {verdict.recovery_s:.1f} s after the end")
    if throttled and verdict.requests_share > MAX_REQUESTS_SHARE:
        found.append(f"{verdict.requests_share:.2f} times the normal requests while the store throttles")
    return found


def _table(verdicts: Mapping[str, Verdict]) -> Table:
    table = Table(title=f"The store of players fails; {RATE_RPS:g} requests a second")
    table.add_column("outage")
    for column in ("answers", "errors", "late", "fresh", "stale", "fallback", "untrue", "recovery s", "store requests"):
        table.add_column(column, justify="right")
    for name, one in verdicts.items():
        counts = (one.answers, sum(one.errors.values()), one.late, one.fresh, one.stale, one.fallback, len(one.untrue))
        table.add_row(name, *map(str, counts), f"{one.recovery_s:.2f}", f"{one.requests_share:.2f}x")
    return table
