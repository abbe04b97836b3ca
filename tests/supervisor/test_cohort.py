"""Cohorts: admission, departure and return, with gated journeys on a virtual clock."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.dealing import MAX_COHORT_REQUESTS, MAX_COHORT_ROWS, MESSAGE_CPU_S
from mesh.errors import Overloaded
from supervisor.answers import Answer, Reason, ReasonWord, Source
from supervisor.cohort import Cohorts
from supervisor.rows import Passenger
from supervisor.ticket import Ticket
from tests.supervisor.virtual_time import START_S, in_virtual_time, now_s, settle

WHOLE = Answer(Source.ENSEMBLE, None)
FAILED = Answer(Source.FALLBACK, Reason(ReasonWord.INTERNAL, "a bug"))
REFUSED = Answer(Source.FALLBACK, Reason(ReasonWord.OVERLOADED, "too many"))
COST_S = 15 * MESSAGE_CPU_S


@dataclass(eq=False)
class GatedJourney:
    """A journey that returns when the test opens its gate."""

    tickets: list[Ticket]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    on_quorum: Callable[[], None] = lambda: None
    departed_s: float = field(default_factory=now_s)

    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        self.on_quorum = lambda: on_quorum("")
        await self.gate.wait()
        for ticket in self.tickets:
            ticket.settle(WHOLE)

    def settle_now(self, ticket: Ticket) -> None:
        ticket.settle(FAILED)


class VotingJourney(GatedJourney):
    """A journey of the versions `a`, which gets a quorum, and `b`, which gets none."""

    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        await self.gate.wait()
        on_quorum("a")
        for ticket in self.tickets:
            ticket.settle(WHOLE)


class FailingJourney(GatedJourney):
    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        del on_quorum
        raise RuntimeError("a bug on the journey")


@dataclass(eq=False)
class GatedRoute:
    """A route that records its journeys."""

    messages: int = 15
    kind: type[GatedJourney] = GatedJourney
    journeys: list[GatedJourney] = field(default_factory=list)

    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        self.journeys.append(self.kind(tickets))
        return self.journeys[-1]

    def backlog_s(self, ticket: Ticket, waiting_rows: Mapping[str, int]) -> float:
        del ticket, waiting_rows
        return 0.0

    def room_rows(self, version: str, within_s: float) -> float:
        del version, within_s
        return math.inf

    def refuse(self, tickets: Sequence[Ticket], detail: str) -> None:
        del detail
        for ticket in tickets:
            ticket.settle(REFUSED)

    def abandon(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            ticket.settle(FAILED)

    @property
    def sizes(self) -> list[int]:
        return [len(journey.tickets) for journey in self.journeys]

    def open_gates(self) -> None:
        for journey in self.journeys:
            journey.gate.set()


@dataclass
class Gauge:
    """A starvation gauge that the test sets."""

    starved: bool = False

    def is_starved(self) -> bool:
        return self.starved


def ticket(rows: int = 1, budget_s: float = 1.0) -> Ticket:
    return Ticket("p", Passenger({}, tuple(range(rows))), 1, None, now_s(), now_s() + budget_s)


@asynccontextmanager
async def gathering(gauge: Gauge, max_waiting: int = 10_000) -> AsyncIterator[Cohorts]:
    """Cohorts with an empty CPU budget."""
    async with asyncio.TaskGroup() as tasks:
        yield Cohorts(tasks, gauge, max_waiting, clock=now_s)


@in_virtual_time
async def test_request_departs_at_once_while_no_cohort_is_under_way() -> None:
    route = GatedRoute()
    async with gathering(Gauge()) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        assert (route.sizes, now_s()) == ([1], START_S)
        route.open_gates()


@in_virtual_time
async def test_request_departs_at_once_on_a_starved_but_idle_machine() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        assert (route.sizes, now_s()) == ([1], START_S)
        route.open_gates()


@in_virtual_time
async def test_second_cohort_departs_when_the_cpu_budget_covers_it() -> None:
    route = GatedRoute()
    async with gathering(Gauge()) as cohorts:
        cohorts.admit(route, ticket())
        cohorts.admit(route, ticket())
        await settle()
        assert route.sizes == [1]
        await asyncio.sleep(1)
        assert [journey.departed_s for journey in route.journeys] == pytest.approx(
            [START_S, START_S + 2 * COST_S], abs=1e-5
        )
        route.open_gates()


@in_virtual_time
async def test_starved_machine_holds_the_second_cohort_until_the_first_returns() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        waiting = [ticket() for _ in range(3)]
        for one in waiting:
            cohorts.admit(route, one)
        await asyncio.sleep(60)
        assert route.sizes == [1]
        route.open_gates()
        await settle()
        assert route.sizes == [1, 3]
        route.open_gates()


@in_virtual_time
async def test_few_requests_wait_after_a_large_cohort_on_a_starved_machine() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        for _ in range(8):
            cohorts.admit(route, ticket())
        route.open_gates()
        await settle()
        await asyncio.sleep(0.4)
        route.open_gates()  # the large cohort returns after 0.4 s: the next one waits at most a quarter of that
        await settle()
        returned_s = now_s()
        cohorts.admit(route, ticket())
        await settle()
        assert route.sizes == [1, 8]
        await asyncio.sleep(1)
        assert route.sizes == [1, 8, 1]
        assert route.journeys[2].departed_s == pytest.approx(returned_s + 0.1, abs=1e-5)
        route.open_gates()


@in_virtual_time
async def test_half_as_many_requests_as_last_time_depart_at_once() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        for _ in range(8):
            cohorts.admit(route, ticket())
        route.open_gates()
        await settle()
        await asyncio.sleep(0.4)
        route.open_gates()
        await settle()
        returned_s = now_s()
        for _ in range(4):
            cohorts.admit(route, ticket())
        await settle()
        assert (route.sizes, now_s()) == ([1, 8, 4], returned_s)
        route.open_gates()


@in_virtual_time
async def test_requests_depart_at_once_after_a_return_while_the_machine_is_not_starved() -> None:
    route = GatedRoute()
    async with gathering(Gauge()) as cohorts:
        for _ in range(2):
            cohorts.admit(route, ticket())
        await settle()
        route.open_gates()
        await settle()
        route.open_gates()
        await settle()
        assert (route.sizes, now_s()) == ([1, 1], START_S)


@in_virtual_time
async def test_cohort_has_no_more_rows_than_the_limit() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        for rows in (3000, 1096, 1, 4095):
            cohorts.admit(route, ticket(rows))
        for _ in range(3):
            route.open_gates()
            await settle()
        assert route.sizes == [1, 2, 2]
        route.open_gates()


@in_virtual_time
async def test_request_above_the_row_limit_travels_alone() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        for rows in (5000, 1):
            cohorts.admit(route, ticket(rows))
        for _ in range(3):
            route.open_gates()
            await settle()
        assert route.sizes == [1, 1, 1]


@in_virtual_time
async def test_cohort_has_no_more_requests_than_the_limit() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        for _ in range(MAX_COHORT_REQUESTS + 1):
            cohorts.admit(route, ticket())
        route.open_gates()
        await settle()
        assert route.sizes == [1, MAX_COHORT_REQUESTS]
        for _ in range(2):
            route.open_gates()
            await asyncio.sleep(1)


@in_virtual_time
async def test_full_queue_refuses_at_once() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True), max_waiting=2) as cohorts:
        for _ in range(3):  # 1 departs, 2 wait
            cohorts.admit(route, ticket())
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket())
        for _ in range(3):
            route.open_gates()
            await settle()
        assert route.sizes == [1, 2]


@dataclass(eq=False)
class TimedRoute(GatedRoute):
    """A route whose journeys take `journey_s`, and reach their quorum after half of it."""

    journey_s: float = 0.1

    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        journey = super().depart(tickets)
        loop = asyncio.get_running_loop()
        loop.call_later(self.journey_s / 2, lambda: journey.on_quorum())
        loop.call_later(self.journey_s, journey.gate.set)
        return journey


async def learn(cohorts: Cohorts, route: TimedRoute, journey_s: float) -> None:
    """Sends one request, so that the forecast of the route learns its time."""
    route.journey_s, lone = journey_s, ticket(budget_s=60)
    cohorts.admit(route, lone)
    await lone.answer
    await settle()


@in_virtual_time
async def test_request_that_would_be_answered_too_late_is_refused_at_once() -> None:
    route = TimedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        await learn(cohorts, route, 0.02)
        await learn(cohorts, route, 0.1)
        cohorts.admit(route, ticket(budget_s=60))  # returns in 0.1 s; the next cohort 0.1 s later
        with pytest.raises(Overloaded, match="too late"):
            cohorts.admit(route, ticket(budget_s=0.1))
        patient = ticket(budget_s=0.5)
        cohorts.admit(route, patient)
        assert await patient.answer is WHOLE


@in_virtual_time
async def test_any_deadline_is_admitted_while_no_cohort_is_under_way() -> None:
    route = TimedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        await learn(cohorts, route, 0.02)
        await learn(cohorts, route, 0.1)
        cohorts.admit(route, ticket(budget_s=0.001))
        await settle()
        assert route.sizes == [1, 1, 1]


@in_virtual_time
async def test_deadline_that_is_too_short_at_any_load_is_admitted() -> None:
    route = TimedRoute()
    async with gathering(Gauge()) as cohorts:
        await learn(cohorts, route, 0.1)
        for _ in range(2):
            cohorts.admit(route, ticket(budget_s=0.05))
        await asyncio.sleep(0.01)
        assert route.sizes == [1, 1, 1]


@in_virtual_time
async def test_journey_that_ended_at_its_deadline_counts_as_longer() -> None:
    route = TimedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        await learn(cohorts, route, 0.02)
        for _ in range(20):
            route.journey_s, late = 0.2, ticket(budget_s=0.2)  # ends at the deadline of its request
            cohorts.admit(route, late)
            await late.answer
            await settle()
        cohorts.admit(route, ticket(budget_s=60))
        with pytest.raises(Overloaded):
            cohorts.admit(route, ticket(budget_s=0.6))  # enough for two journeys of 0.2 s


@in_virtual_time
async def test_requests_answered_while_they_waited_do_not_fill_the_queue() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True), max_waiting=2) as cohorts:
        expired = [ticket() for _ in range(2)]
        try:
            for one in (ticket(), *expired):
                cohorts.admit(route, one)
            await settle()
            for one in expired:
                one.settle(FAILED)
            cohorts.admit(route, ticket())
        finally:
            for _ in range(3):
                route.open_gates()
                await settle()


@in_virtual_time
async def test_request_answered_while_it_waited_does_not_travel() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        expired, live = ticket(), ticket()
        cohorts.admit(route, expired)
        cohorts.admit(route, live)
        expired.settle(FAILED)
        route.open_gates()
        await settle()
        assert route.journeys[1].tickets == [live]
        route.open_gates()


@in_virtual_time
async def test_request_whose_caller_left_does_not_travel() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        gone, live = ticket(), ticket()
        cohorts.admit(route, gone)
        cohorts.admit(route, live)
        gone.answer.cancel()
        route.open_gates()
        await settle()
        assert route.journeys[1].tickets == [live]
        route.open_gates()


@in_virtual_time
async def test_request_that_does_not_travel_does_not_count_as_rows_of_the_cohort() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        tickets = [ticket(10), ticket(MAX_COHORT_ROWS), ticket(10)]
        for one in tickets:
            cohorts.admit(route, one)
        tickets[1].settle(FAILED)
        for _ in range(3):
            route.open_gates()
            await settle()
        route.open_gates()
        assert route.sizes == [1, 2]


@in_virtual_time
async def test_request_departs_after_all_waiting_callers_have_left() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        gone = ticket()
        cohorts.admit(route, gone)
        gone.answer.cancel()
        route.open_gates()
        await settle()
        assert (route.sizes, cohorts.under_way, cohorts.waiting(route, "")) == ([1], 0, 0)
        cohorts.admit(route, ticket())
        await settle()
        assert route.sizes == [1, 1]
        route.open_gates()


@in_virtual_time
async def test_failed_journey_still_answers_its_requests() -> None:
    route = GatedRoute(kind=FailingJourney)
    async with gathering(Gauge()) as cohorts:
        lost = ticket()
        cohorts.admit(route, lost)
        assert await asyncio.wait_for(lost.answer, 1) is FAILED
        await settle()
        assert cohorts.under_way == 0


class FailingRoute(GatedRoute):
    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        del tickets
        raise RuntimeError("a bug at departure")


@in_virtual_time
async def test_failed_departure_still_answers_its_requests() -> None:
    route = FailingRoute()
    async with gathering(Gauge()) as cohorts:
        lost = ticket()
        cohorts.admit(route, lost)
        assert await asyncio.wait_for(lost.answer, 1) is FAILED


@in_virtual_time
async def test_next_cohort_departs_after_a_failed_journey() -> None:
    route = GatedRoute(kind=FailingJourney)
    async with gathering(Gauge(starved=True)) as cohorts:
        for _ in range(3):
            one = ticket()
            cohorts.admit(route, one)
            assert await asyncio.wait_for(one.answer, 1) is FAILED


@in_virtual_time
async def test_straggler_does_not_hold_back_the_next_cohort() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await asyncio.sleep(0.1)
        route.journeys[0].on_quorum()  # after 0.1 s: the remaining models get 0.1 s more
        cohorts.admit(route, ticket())
        await asyncio.sleep(10)
        assert [journey.departed_s for journey in route.journeys] == pytest.approx([START_S, START_S + 0.2], abs=1e-5)
        route.open_gates()


@in_virtual_time
async def test_cohort_that_returns_after_its_straggler_timer_counts_once() -> None:
    route = GatedRoute()
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(route, ticket())
        await settle()
        route.journeys[0].on_quorum()
        await asyncio.sleep(1)
        assert cohorts.under_way == 0
        route.open_gates()
        await settle()
        assert cohorts.under_way == 0


@in_virtual_time
async def test_route_with_the_oldest_request_departs_first() -> None:
    quiet, busy = GatedRoute(), GatedRoute()
    order: list[str] = []
    async with gathering(Gauge(starved=True)) as cohorts:
        cohorts.admit(busy, ticket())
        await asyncio.sleep(0.001)
        cohorts.admit(busy, ticket())
        await asyncio.sleep(0.001)
        cohorts.admit(quiet, ticket())
        await asyncio.sleep(0.001)
        cohorts.admit(busy, ticket())
        for _ in range(3):
            before = (len(quiet.journeys), len(busy.journeys))
            for route in (quiet, busy):
                route.open_gates()
            await settle()
            order += ["quiet"] * (len(quiet.journeys) - before[0]) + ["busy"] * (len(busy.journeys) - before[1])
        assert order == ["busy", "quiet"]
        assert (quiet.sizes, busy.sizes) == ([1], [1, 2])


@in_virtual_time
async def test_cancelled_block_cancels_its_journeys_and_their_count() -> None:
    route = GatedRoute()
    held: list[Cohorts] = []

    async def serve() -> None:
        async with gathering(Gauge()) as cohorts:
            held.append(cohorts)
            cohorts.admit(route, ticket())
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await settle()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert held[0].under_way == 0


@in_virtual_time
async def test_version_without_a_forecast_does_not_hide_when_its_cohort_returns() -> None:
    route, gauge = GatedRoute(kind=VotingJourney), Gauge()

    def of(version: str, budget_s: float = 1.0) -> Ticket:
        return replace(ticket(budget_s=budget_s), version=version)

    async with gathering(gauge) as cohorts:
        for journey_s in (0.01, *[0.1] * 12):
            cohorts.admit(route, of("a"))
            await asyncio.sleep(journey_s)
            route.open_gates()
            await settle()
        gauge.starved = True
        for version in ("a", "a", "b"):
            cohorts.admit(route, of(version))
        await settle()
        route.open_gates()
        await settle()
        assert {one.version for one in route.journeys[-1].tickets} == {"a", "b"}
        with pytest.raises(Overloaded, match="too late"):
            cohorts.admit(route, of("a", budget_s=0.15))
        route.open_gates()


@in_virtual_time
async def test_route_of_a_replaced_catalog_stays_while_its_answered_tickets_wait() -> None:
    slow, replaced, gauge = GatedRoute(), GatedRoute(), Gauge()
    async with gathering(gauge) as cohorts:
        cohorts.admit(slow, ticket(budget_s=10))
        await settle()
        gauge.starved = True
        late = ticket(budget_s=0.1)
        cohorts.admit(replaced, late)
        late.settle(FAILED)  # at its deadline, while the cohort of another game is under way
        route = weakref.ref(replaced)
        del replaced
        slow.open_gates()
        await settle()
        assert (cohorts.waiting_count, route()) == (0, None)


@given(
    st.lists(
        st.tuples(st.sampled_from(["admit", "leave", "return", "quorum", "wait", "starve"]), st.integers(0, 9)),
        max_size=40,
    )
)
@example([("admit", 0), ("leave", 0), ("quorum", 0), ("wait", 5)])
@in_virtual_time
async def test_every_request_whose_caller_stays_travels_exactly_once(steps: list[tuple[str, int]]) -> None:
    routes, gauge, admitted = [GatedRoute(), GatedRoute(messages=3)], Gauge(), list[Ticket]()
    async with gathering(gauge) as cohorts:
        for step, choice in steps:
            route = routes[choice % 2]
            under_way = [journey for route in routes for journey in route.journeys if not journey.gate.is_set()]
            if step == "admit":
                admitted.append(ticket(1 + choice * 500))
                cohorts.admit(route, admitted[-1])
            elif step == "leave" and admitted:
                admitted[choice % len(admitted)].answer.cancel()
            elif step == "return" and under_way:
                under_way[choice % len(under_way)].gate.set()
            elif step == "quorum" and under_way:
                under_way[choice % len(under_way)].on_quorum()
            elif step == "wait":
                await asyncio.sleep(choice / 1000)
            else:
                gauge.starved = not gauge.starved
            await settle()
        gauge.starved = False
        while cohorts.under_way or any(not one.answer.done() for one in admitted):
            for route in routes:
                route.open_gates()
            await asyncio.sleep(0.01)
        for route in routes:  # journeys that wait for stragglers do not count, but must end too
            route.open_gates()
        assert (cohorts.waiting(routes[0], ""), cohorts.waiting(routes[1], "")) == (0, 0)
    travelled = [one for route in routes for journey in route.journeys for one in journey.tickets]
    assert len(travelled) == len(set(map(id, travelled)))
    for route in routes:
        assert all(
            sum(one.passenger.rows for one in j.tickets) <= MAX_COHORT_ROWS or len(j.tickets) == 1
            for j in route.journeys
        )
