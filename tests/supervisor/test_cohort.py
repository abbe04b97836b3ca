"""When a cohort departs: the policy, with gated journeys on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.errors import Overloaded
from supervisor import cohort
from supervisor.answer import Answer, Reason, Source
from supervisor.cohort import Cohorts, Ticket
from supervisor.purse import Purse
from supervisor.rows import Passenger
from tests.supervisor.virtual_time import START_S, Clock, run, settle

WHOLE = Answer(Source.ENSEMBLE, None)
BROKEN = Answer(Source.FALLBACK, Reason("internal", "broken"))
PRICE_S = 15 * cohort.MESSAGE_CPU_S


@pytest.fixture(autouse=True)
def _virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "time", Clock)


@dataclass(eq=False)
class GatedJourney:
    """A journey that returns when its gate is opened."""

    tickets: list[Ticket]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    on_quorum: Callable[[], None] = lambda: None
    departed_s: float = field(default_factory=Clock.monotonic)

    async def travel(self, on_quorum: Callable[[], None]) -> None:
        self.on_quorum = on_quorum
        await self.gate.wait()
        for ticket in self.tickets:
            ticket.settle(WHOLE)

    def settle_now(self, ticket: Ticket) -> None:
        ticket.settle(BROKEN)


class BrokenJourney(GatedJourney):
    async def travel(self, on_quorum: Callable[[], None]) -> None:
        del on_quorum
        raise RuntimeError("a bug on the way")


@dataclass(eq=False)
class Line:
    """A route that remembers its journeys."""

    messages: int = 15
    kind: type[GatedJourney] = GatedJourney
    journeys: list[GatedJourney] = field(default_factory=list)

    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        self.journeys.append(self.kind(tickets))
        return self.journeys[-1]

    def abandon(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            ticket.settle(BROKEN)

    @property
    def sizes(self) -> list[int]:
        return [len(journey.tickets) for journey in self.journeys]

    def open_gates(self) -> None:
        for journey in self.journeys:
            journey.gate.set()


@dataclass
class Gauge:
    """Pressure that a test sets."""

    starved: bool = False

    def is_starved(self) -> bool:
        return self.starved


def ticket(rows: int = 1, budget_s: float = 1.0) -> Ticket:
    now_s = Clock.monotonic()
    return Ticket("p", Passenger({}, tuple(range(rows))), 1, None, now_s, now_s + budget_s)


@asynccontextmanager
async def gathering(gauge: Gauge, max_waiting: int = 10_000) -> AsyncIterator[Cohorts]:
    """Cohorts whose purse is empty."""
    async with asyncio.TaskGroup() as tasks:
        cohorts = Cohorts(tasks, gauge, max_waiting)
        cohorts._purse = Purse(Clock.monotonic())
        yield cohorts


def test_a_request_departs_at_once_while_none_is_under_way() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge()) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            assert (line.sizes, Clock.monotonic()) == ([1], START_S)
            line.open_gates()

    run(story())


def test_starved_and_idle_a_request_departs_at_once() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            assert (line.sizes, Clock.monotonic()) == ([1], START_S)
            line.open_gates()

    run(story())


def test_a_second_cohort_departs_when_it_is_paid_for_and_not_before() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge()) as cohorts:
            cohorts.admit(line, ticket())
            cohorts.admit(line, ticket())
            await settle()
            assert line.sizes == [1]
            await asyncio.sleep(1)
            assert [journey.departed_s for journey in line.journeys] == pytest.approx(
                [START_S, START_S + 2 * PRICE_S], abs=1e-5
            )
            line.open_gates()

    run(story())


def test_a_starved_machine_holds_the_second_cohort_until_the_first_returns() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            waiting = [ticket() for _ in range(3)]
            for one in waiting:
                cohorts.admit(line, one)
            await asyncio.sleep(60)
            assert line.sizes == [1]
            line.open_gates()
            await settle()
            assert line.sizes == [1, 3]
            line.open_gates()

    run(story())


def test_a_starved_machine_lets_a_few_linger_after_a_big_cohort() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            for _ in range(8):
                cohorts.admit(line, ticket())
            line.open_gates()
            await settle()
            await asyncio.sleep(0.4)
            line.open_gates()  # the big one returns after 0.4 s: a quarter of that is the most to linger
            await settle()
            returned_s = Clock.monotonic()
            cohorts.admit(line, ticket())
            await settle()
            assert line.sizes == [1, 8]
            await asyncio.sleep(1)
            assert line.sizes == [1, 8, 1]
            assert line.journeys[2].departed_s == pytest.approx(returned_s + 0.1, abs=1e-5)
            line.open_gates()

    run(story())


def test_half_as_many_as_last_time_linger_no_longer() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            for _ in range(8):
                cohorts.admit(line, ticket())
            line.open_gates()
            await settle()
            await asyncio.sleep(0.4)
            line.open_gates()
            await settle()
            returned_s = Clock.monotonic()
            for _ in range(4):
                cohorts.admit(line, ticket())
            await settle()
            assert (line.sizes, Clock.monotonic()) == ([1, 8, 4], returned_s)
            line.open_gates()

    run(story())


def test_with_cpu_to_spare_nobody_lingers() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge()) as cohorts:
            for _ in range(2):
                cohorts.admit(line, ticket())
            await settle()
            line.open_gates()
            await settle()
            line.open_gates()
            await settle()
            assert (line.sizes, Clock.monotonic()) == ([1, 1], START_S)

    run(story())


def test_a_cohort_has_no_more_rows_than_the_limit() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            for rows in (3000, 1096, 1, 4095):
                cohorts.admit(line, ticket(rows))
            for _ in range(3):
                line.open_gates()
                await settle()
            assert line.sizes == [1, 2, 2]
            line.open_gates()

    run(story())


def test_a_request_above_the_row_limit_travels_alone() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            for rows in (5000, 1):
                cohorts.admit(line, ticket(rows))
            for _ in range(3):
                line.open_gates()
                await settle()
            assert line.sizes == [1, 1, 1]

    run(story())


def test_a_cohort_has_no_more_requests_than_the_limit() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            for _ in range(cohort.MAX_COHORT_REQUESTS + 1):
                cohorts.admit(line, ticket())
            line.open_gates()
            await settle()
            assert line.sizes == [1, cohort.MAX_COHORT_REQUESTS]
            for _ in range(2):
                line.open_gates()
                await asyncio.sleep(1)

    run(story())


def test_a_full_queue_refuses_at_once() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True), max_waiting=2) as cohorts:
            for _ in range(3):  # one departs, two wait
                cohorts.admit(line, ticket())
            with pytest.raises(Overloaded):
                cohorts.admit(line, ticket())
            for _ in range(3):
                line.open_gates()
                await settle()
            assert line.sizes == [1, 2]

    run(story())


@dataclass(eq=False)
class TimedLine(Line):
    """A route whose journeys take their time, and get their quorum after half of it."""

    journey_s: float = 0.1

    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        journey = super().depart(tickets)
        loop = asyncio.get_running_loop()
        loop.call_later(self.journey_s / 2, lambda: journey.on_quorum())
        loop.call_later(self.journey_s, journey.gate.set)
        return journey


async def know(cohorts: Cohorts, line: TimedLine, journey_s: float) -> None:
    """Lets a lone request travel, so that the pace of the line is known."""
    line.journey_s, known = journey_s, ticket(budget_s=60)
    cohorts.admit(line, known)
    await known.answer
    await settle()


def test_who_would_be_answered_too_late_is_told_at_once() -> None:
    async def story() -> None:
        line = TimedLine()
        async with gathering(Gauge(starved=True)) as cohorts:
            await know(cohorts, line, 0.02)
            await know(cohorts, line, 0.1)
            cohorts.admit(line, ticket(budget_s=60))  # back in 0.1 s; the next after another 0.1 s
            with pytest.raises(Overloaded, match="too late"):
                cohorts.admit(line, ticket(budget_s=0.1))
            patient = ticket(budget_s=0.5)
            cohorts.admit(line, patient)
            assert await patient.answer is WHOLE

    run(story())


def test_while_none_is_under_way_the_shortest_deadline_may_try() -> None:
    async def story() -> None:
        line = TimedLine()
        async with gathering(Gauge(starved=True)) as cohorts:
            await know(cohorts, line, 0.02)
            await know(cohorts, line, 0.1)
            cohorts.admit(line, ticket(budget_s=0.001))
            await settle()
            assert line.sizes == [1, 1, 1]

    run(story())


def test_a_deadline_that_is_too_short_at_any_load_may_try_beside_others() -> None:
    async def story() -> None:
        line = TimedLine()
        async with gathering(Gauge()) as cohorts:
            await know(cohorts, line, 0.1)
            for _ in range(2):
                cohorts.admit(line, ticket(budget_s=0.05))
            await asyncio.sleep(0.01)
            assert line.sizes == [1, 1, 1]

    run(story())


def test_a_journey_that_was_broken_off_at_the_deadlines_is_known_to_be_longer() -> None:
    async def story() -> None:
        line = TimedLine()
        async with gathering(Gauge(starved=True)) as cohorts:
            await know(cohorts, line, 0.02)
            for _ in range(20):
                line.journey_s, late = 0.2, ticket(budget_s=0.2)  # ends when its passenger's time is up
                cohorts.admit(line, late)
                await late.answer
                await settle()
            cohorts.admit(line, ticket(budget_s=60))
            with pytest.raises(Overloaded):
                cohorts.admit(line, ticket(budget_s=0.6))  # two of them if they took no longer

    run(story())


def test_requests_that_were_answered_while_they_waited_fill_no_queue() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True), max_waiting=2) as cohorts:
            expired = [ticket() for _ in range(2)]
            try:
                for one in (ticket(), *expired):
                    cohorts.admit(line, one)
                await settle()
                for one in expired:
                    one.settle(BROKEN)
                cohorts.admit(line, ticket())
            finally:
                for _ in range(3):
                    line.open_gates()
                    await settle()

    try:
        run(story())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def test_a_request_that_was_answered_while_it_waited_does_not_travel() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            expired, live = ticket(), ticket()
            cohorts.admit(line, expired)
            cohorts.admit(line, live)
            expired.settle(BROKEN)
            line.open_gates()
            await settle()
            assert line.journeys[1].tickets == [live]
            line.open_gates()

    run(story())


def test_a_request_whose_caller_left_does_not_travel() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            gone, live = ticket(), ticket()
            cohorts.admit(line, gone)
            cohorts.admit(line, live)
            gone.answer.cancel()
            line.open_gates()
            await settle()
            assert line.journeys[1].tickets == [live]
            line.open_gates()

    run(story())


def test_a_request_that_stays_behind_takes_no_room() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            tickets = [ticket(10), ticket(cohort.MAX_COHORT_ROWS), ticket(10)]
            for one in tickets:
                cohorts.admit(line, one)
            tickets[1].settle(BROKEN)
            for _ in range(3):
                line.open_gates()
                await settle()
            line.open_gates()
            assert line.sizes == [1, 2]

    try:
        run(story())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def test_when_all_who_waited_have_left_the_next_request_still_departs() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            gone = ticket()
            cohorts.admit(line, gone)
            gone.answer.cancel()
            line.open_gates()
            await settle()
            assert (line.sizes, cohorts.under_way, cohorts.waiting(line)) == ([1], 0, 0)
            cohorts.admit(line, ticket())
            await settle()
            assert line.sizes == [1, 1]
            line.open_gates()

    run(story())


def test_a_journey_that_breaks_leaves_nobody_without_an_answer() -> None:
    async def story() -> None:
        line = Line(kind=BrokenJourney)
        async with gathering(Gauge()) as cohorts:
            lost = ticket()
            cohorts.admit(line, lost)
            assert await asyncio.wait_for(lost.answer, 1) is BROKEN
            await settle()
            assert cohorts.under_way == 0

    run(story())


class BrokenLine(Line):
    def depart(self, tickets: list[Ticket]) -> GatedJourney:
        del tickets
        raise RuntimeError("a bug at the door")


def test_a_route_that_breaks_at_departure_leaves_nobody_without_an_answer() -> None:
    async def story() -> None:
        line = BrokenLine()
        async with gathering(Gauge()) as cohorts:
            lost = ticket()
            cohorts.admit(line, lost)
            assert await asyncio.wait_for(lost.answer, 1) is BROKEN

    run(story())


def test_a_journey_that_breaks_makes_way_for_the_next() -> None:
    async def story() -> None:
        line = Line(kind=BrokenJourney)
        async with gathering(Gauge(starved=True)) as cohorts:
            for _ in range(3):
                one = ticket()
                cohorts.admit(line, one)
                assert await asyncio.wait_for(one.answer, 1) is BROKEN

    run(story())


def test_a_straggler_does_not_hold_back_the_next_cohort() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await asyncio.sleep(0.1)
            line.journeys[0].on_quorum()  # after 0.1 s: the others get as long again
            cohorts.admit(line, ticket())
            await asyncio.sleep(10)
            assert [journey.departed_s for journey in line.journeys] == pytest.approx(
                [START_S, START_S + 0.2], abs=1e-5
            )
            line.open_gates()

    run(story())


def test_a_cohort_that_returns_after_its_stragglers_were_given_up_counts_once() -> None:
    async def story() -> None:
        line = Line()
        async with gathering(Gauge(starved=True)) as cohorts:
            cohorts.admit(line, ticket())
            await settle()
            line.journeys[0].on_quorum()
            await asyncio.sleep(1)
            assert cohorts.under_way == 0
            line.open_gates()
            await settle()
            assert cohorts.under_way == 0

    run(story())


def test_routes_take_turns_oldest_request_first() -> None:
    async def story() -> None:
        quiet, busy = Line(), Line()
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
                for line in (quiet, busy):
                    line.open_gates()
                await settle()
                order += ["quiet"] * (len(quiet.journeys) - before[0]) + ["busy"] * (len(busy.journeys) - before[1])
            assert order == ["busy", "quiet"]
            assert (quiet.sizes, busy.sizes) == ([1], [1, 2])

    run(story())


def test_a_cancelled_block_cancels_its_journeys_and_strands_no_count() -> None:
    async def story() -> None:
        line = Line()
        held: list[Cohorts] = []

        async def serve() -> None:
            async with gathering(Gauge()) as cohorts:
                held.append(cohorts)
                cohorts.admit(line, ticket())
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        await settle()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert held[0].under_way == 0

    run(story())


@given(
    st.lists(
        st.tuples(st.sampled_from(["admit", "leave", "return", "quorum", "wait", "gauge"]), st.integers(0, 9)),
        max_size=40,
    )
)
@example([("admit", 0), ("leave", 0), ("quorum", 0), ("wait", 5)])
def test_whatever_happens_everybody_who_stays_travels_once(steps: list[tuple[str, int]]) -> None:
    async def story() -> None:
        lines, gauge, admitted = [Line(), Line(messages=3)], Gauge(), list[Ticket]()
        async with gathering(gauge) as cohorts:
            for step, choice in steps:
                line = lines[choice % 2]
                under_way = [journey for line in lines for journey in line.journeys if not journey.gate.is_set()]
                if step == "admit":
                    admitted.append(ticket(1 + choice * 500))
                    cohorts.admit(line, admitted[-1])
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
                for line in lines:
                    line.open_gates()
                await asyncio.sleep(0.01)
            for line in lines:  # a journey that stragglers hold up counts no more, and must end all the same
                line.open_gates()
            assert (cohorts.waiting(lines[0]), cohorts.waiting(lines[1])) == (0, 0)
        travelled = [one for line in lines for journey in line.journeys for one in journey.tickets]
        assert len(travelled) == len(set(map(id, travelled)))
        for line in lines:
            assert all(
                sum(one.passenger.rows for one in j.tickets) <= cohort.MAX_COHORT_ROWS or len(j.tickets) == 1
                for j in line.journeys
            )

    run(story())


def test_an_empty_purse_earns_half_of_the_time() -> None:
    assert Purse(0.0).short_s(0.003, 0.0) == pytest.approx(0.006)
    assert Purse(0.0).short_s(0.003, 0.002) == pytest.approx(0.004)


def test_a_purse_holds_the_price_of_two_journeys() -> None:
    purse = Purse(0.0)
    purse.pay(0.003, 100.0)
    purse.pay(0.003, 100.0)
    assert purse.short_s(0.003, 100.0) == pytest.approx(0.006)


def test_a_saved_price_makes_no_wait() -> None:
    assert Purse(0.0).short_s(0.003, 1.0) == 0.0


def test_a_journey_that_was_not_saved_for_leaves_no_debt() -> None:
    purse = Purse(0.0)
    for _ in range(10):
        purse.pay(0.003, 0.0)
    assert purse.short_s(0.003, 0.0) == pytest.approx(0.006)
