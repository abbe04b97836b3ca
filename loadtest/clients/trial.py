"""One client in one scenario."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loadtest.clients import drivers
from loadtest.clients.drivers import Driver
from loadtest.clients.real_mesh import ENSEMBLE, play, running_supervisors
from loadtest.clients.scenarios import Scenario
from loadtest.clients.scripted import behaving
from loadtest.measurement.plan import Plan
from mesh.process import running

READY_BUDGET_S = 60.0
OVERTIME_S = 30.0
FALLBACK = "fallback-of-the-application"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came back: the summary of the driver; `requests` are those that scripted supervisors got, else None."""

    language: str
    scenario: str
    summary: Mapping[str, Any]
    requests: int | None


async def try_client(language: str, driver: Driver, name: str, scenario: Scenario, plan: Plan) -> Trial:
    """Runs `scenario` with one client."""
    if scenario.kind == "scripted":
        async with behaving(scenario.behave) as scripted:
            targets = [one.address for one in scripted]
            summary = await _ask(language, driver, scenario, targets, "any-game", plan.logs)
            return Trial(language, name, summary, sum(len(one.requests) for one in scripted))
    async with running_supervisors(plan, scenario.supervisors) as supervisors:
        targets = [one.address for one in supervisors]
        events = partial(play, scenario.events, supervisors)
        summary = await _ask(language, driver, scenario, targets, ENSEMBLE.game, plan.logs, events)
        return Trial(language, name, summary, None)


async def _ask(
    language: str,
    driver: Driver,
    scenario: Scenario,
    targets: Sequence[str],
    game: str,
    logs: Path,
    events: Callable[[], Awaitable[None]] | None = None,
) -> Mapping[str, Any]:
    launch = drivers.launch(language, driver, scenario, targets, {"game": game, "fallback": FALLBACK}, logs)
    async with running(launch) as process:
        await process.event("ready", READY_BUDGET_S)
        done = asyncio.create_task(process.event("done", scenario.seconds + OVERTIME_S))
        if events is not None:
            await events()
        return await done


def missed(trial: Trial, scenario: Scenario) -> Iterator[str]:
    """Yields a line for each expectation that the client misses."""
    summary, expect, questions = trial.summary, scenario.expect, scenario.questions
    if summary["returned"] != questions:
        yield f"{summary['returned']} of {questions} questions returned"
    for name in ("late", "exceptions"):
        if summary[name]:
            yield f"{summary[name]} {name}"
    if summary["wrong_requests"] != expect.wrong:
        yield f"{summary['wrong_requests']} wrong requests, expected {expect.wrong}"
    sources = summary["sources"]
    if expect.local is not None and sources["local"] > expect.local * questions:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary["local_reasons"].items())
        yield f"{sources['local']} local fallbacks ({reasons}), expected at most {expect.local:.1%}"
    if expect.source is not None:
        others = {name: count for name, count in sources.items() if count and name not in (expect.source, "local")}
        if others or (expect.source == "local" and sources["local"] != questions):
            yield f"sources {dict(sources)}, expected {expect.source}"
    if expect.extra is not None and trial.requests is not None and trial.requests > (1 + expect.extra) * questions:
        yield f"{trial.requests} requests for {questions} questions, expected at most {expect.extra:.0%} more"
