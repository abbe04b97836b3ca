"""Callers beside a flood, on a virtual clock: cohorts with slow models, and their limits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from mesh.dealing import MAX_COHORT_REQUESTS
from mesh.errors import Overloaded
from supervisor.answers import Answer
from supervisor.backlog import Asked, Backlog, RowCount
from supervisor.cohort import Cohorts
from supervisor.rows import Passenger
from supervisor.ticket import Ticket
from tests.supervisor.slow_models import (
    CAPACITY_RPS,
    DEADLINE_S,
    LATE,
    MODELS,
    ROW_S,
    WHOLE,
    NeverStarved,
    SlowModel,
    SlowRoute,
)
from tests.supervisor.test_cohort import REFUSED, GatedRoute, Gauge
from tests.supervisor.virtual_time import in_virtual_time, now_s, settle

POLITE = {f"polite-{number}": 0.06 * CAPACITY_RPS for number in range(9)}


@dataclass(frozen=True)
class Sender:
    """A caller that sends `rps` requests per second."""

    rps: float
    weight: float = 1.0
    is_critical: bool = False
    starts_s: float = 0.0


@dataclass
class Outcome:
    """The answers of one caller: requests, whole answers, and the times of the requests that were admitted."""

    requests: int = 0
    whole: int = 0
    times_s: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.whole / self.requests


async def outcomes_of(senders: Mapping[str, Sender], seconds: float = 6.0) -> dict[str, Outcome]:
    """Sends the requests of all callers to slow models."""
    rng = np.random.default_rng(1)
    times_s = iter(rng.lognormal(np.log(ROW_S), 0.15, 2_000_000))
    models, rows = [SlowModel(times_s) for _ in range(MODELS)], RowCount()
    route = SlowRoute(models, Backlog([Asked(models, {"v": rows})], 10, now_s), rows)
    outcomes: dict[str, Outcome] = defaultdict(Outcome)

    async def send(name: str, sender: Sender, cohorts: Cohorts) -> None:
        start_s = now_s() + sender.starts_s
        for offset_s in np.cumsum(rng.exponential(1 / sender.rps, int(sender.rps * (seconds - sender.starts_s)))):
            await asyncio.sleep(start_s + float(offset_s) - now_s())
            ask(name, sender, cohorts)

    def ask(name: str, sender: Sender, cohorts: Cohorts) -> None:
        asked_s, outcome = now_s(), outcomes[name]
        one = ticket(name, sender.weight, is_critical=sender.is_critical)
        outcome.requests += 1
        try:
            cohorts.admit(route, one)
        except Overloaded:
            return
        asyncio.get_running_loop().call_later(DEADLINE_S, one.settle, LATE)

        def record(answer: asyncio.Future[Answer]) -> None:
            outcome.whole += answer.result() is WHOLE
            outcome.times_s.append(now_s() - asked_s)

        one.answer.add_done_callback(record)

    async with asyncio.TaskGroup() as tasks:
        cohorts = Cohorts(tasks, NeverStarved(), 2048, clock=now_s)
        async with asyncio.TaskGroup() as sending:
            for name, sender in senders.items():
                sending.create_task(send(name, sender, cohorts))
    return outcomes


def ticket(caller: str, weight: float = 1.0, *, is_critical: bool = False, budget_s: float = DEADLINE_S) -> Ticket:
    return Ticket(
        "p",
        Passenger({}, (0,)),
        1,
        None,
        now_s(),
        now_s() + budget_s,
        caller=caller,
        weight=weight,
        is_critical=is_critical,
        version="v",
    )


def p99_s(outcomes: Mapping[str, Outcome]) -> float:
    """The p99 of the answers to all polite callers."""
    return float(np.percentile(np.concatenate([outcomes[name].times_s for name in POLITE]), 99))


def polite() -> dict[str, Sender]:
    return {name: Sender(rps) for name, rps in POLITE.items()}


@in_virtual_time
async def test_flood_costs_the_other_callers_nothing() -> None:
    control = await outcomes_of(polite())
    beside = await outcomes_of({**polite(), "flood": Sender(10 * CAPACITY_RPS, starts_s=1.0)})
    assert [name for name in POLITE if beside[name].share < 1.0] == []
    assert p99_s(beside) <= 1.5 * p99_s(control)


@in_virtual_time
async def test_models_stay_busy_beside_a_flood() -> None:
    answered = await outcomes_of({**polite(), "flood": Sender(10 * CAPACITY_RPS)})
    assert sum(one.whole for one in answered.values()) / 6 >= 0.9 * CAPACITY_RPS


@in_virtual_time
async def test_critical_caller_is_answered_at_five_times_the_capacity() -> None:
    others = {f"caller-{number}": Sender(CAPACITY_RPS) for number in range(5)}
    answered = await outcomes_of({**others, "critical": Sender(0.3 * CAPACITY_RPS, is_critical=True)}, 8)
    assert answered["critical"].share >= 0.999


@in_virtual_time
async def test_callers_above_their_shares_are_answered_in_proportion_to_their_weights() -> None:
    answered = await outcomes_of(
        {"light": Sender(3 * CAPACITY_RPS, weight=1.0), "heavy": Sender(3 * CAPACITY_RPS, weight=3.0)}
    )
    assert 2.4 <= answered["heavy"].whole / answered["light"].whole <= 3.6


@in_virtual_time
async def test_new_caller_is_answered_beside_two_floods() -> None:
    floods = {name: Sender(5 * CAPACITY_RPS) for name in ("flood-1", "flood-2")}
    answered = await outcomes_of({**floods, "new": Sender(1.0)}, seconds=10)
    assert answered["new"].share == 1.0


@asynccontextmanager
async def starved(max_waiting: int = 10_000) -> AsyncIterator[tuple[Cohorts, GatedRoute]]:
    """Cohorts of which one is under way at a time, and a route whose first cohort is under way."""
    route = GatedRoute()
    async with asyncio.TaskGroup() as tasks:
        cohorts = Cohorts(tasks, Gauge(starved=True), max_waiting, clock=now_s)
        cohorts.admit(route, ticket("first"))
        await settle()
        yield cohorts, route
        while cohorts.under_way or cohorts.waiting_count:
            route.open_gates()
            await settle()


def admitted(cohorts: Cohorts, route: GatedRoute, *callers: Ticket) -> list[Ticket]:
    for one in callers:
        cohorts.admit(route, one)
    return list(callers)


@in_virtual_time
async def test_full_queue_refuses_the_newest_request_of_the_caller_with_the_most() -> None:
    async with starved(max_waiting=4) as (cohorts, route):
        flood = admitted(cohorts, route, *[ticket("flood") for _ in range(4)])
        admitted(cohorts, route, ticket("polite"), ticket("other"))
        assert [one.answer.done() for one in flood] == [False, False, True, True]
        assert flood[3].answer.result() is REFUSED
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket("flood"))
        assert cohorts.waiting_of_callers(route) == {"first": 0, "flood": 2, "polite": 1, "other": 1}


@in_virtual_time
async def test_full_queue_refuses_by_rows_for_the_weight() -> None:
    async with starved(max_waiting=5) as (cohorts, route):
        heavy = admitted(cohorts, route, *[ticket("heavy", 4.0) for _ in range(3)])
        light = admitted(cohorts, route, *[ticket("light") for _ in range(2)])
        heavy += admitted(cohorts, route, ticket("heavy", 4.0))
        assert [one.answer.done() for one in (*heavy, *light)] == [False] * 5 + [True]
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket("light"))


@in_virtual_time
async def test_full_queue_refuses_critical_requests_last() -> None:
    async with starved(max_waiting=3) as (cohorts, route):
        admitted(cohorts, route, *[ticket("critical", is_critical=True) for _ in range(2)])
        (other,) = admitted(cohorts, route, ticket("other"))
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket("new"))
        admitted(cohorts, route, ticket("critical", is_critical=True))
        assert other.answer.result() is REFUSED
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket("critical", is_critical=True))


@in_virtual_time
async def test_full_queue_with_one_caller_refuses_the_request_that_comes() -> None:
    async with starved(max_waiting=2) as (cohorts, route):
        waiting = admitted(cohorts, route, *[ticket("first") for _ in range(2)])
        with pytest.raises(Overloaded, match="2 requests are waiting"):
            cohorts.admit(route, ticket("first"))
        assert not any(one.answer.done() for one in waiting)


@in_virtual_time
async def test_routes_take_turns_while_several_callers_are_present() -> None:
    async with starved() as (cohorts, route):
        busy, quiet = GatedRoute(), GatedRoute()
        for _ in range(2):
            admitted(cohorts, busy, *[ticket("flood") for _ in range(MAX_COHORT_REQUESTS)])
        admitted(cohorts, quiet, ticket("polite"))
        departed = []
        for _ in range(3):
            for one in (route, busy, quiet):
                one.open_gates()
            await settle()
            departed.append((len(busy.journeys), len(quiet.journeys)))
        assert departed == [(1, 0), (1, 1), (2, 1)]
        busy.open_gates()
