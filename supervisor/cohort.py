"""Cohorts: waiting requests gather and make the whole journey together; the policy of when one departs.

The argument and the measurements are in docs/decisions/0002-cohorts.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mesh.errors import Overloaded
from supervisor.answer import Answer
from supervisor.rows import Passenger

EARNED_CPU_SHARE = 0.5
MESSAGE_CPU_S = 0.0002
PURSE_JOURNEYS = 2
MAX_COHORT_ROWS = 4096
MAX_COHORT_REQUESTS = 512
LINGER_SHARE = 0.25
STRAGGLER_FLOOR_S = 0.005
_log = logging.getLogger("supervisor.cohort")


@dataclass(slots=True, eq=False)
class Ticket:
    """One admitted request: what it asks, until when, and the future of its answer (times are monotonic)."""

    player_id: str
    passenger: Passenger
    limit: int
    scored: int | None  # the row to return alone, for Score; None: rank the offers
    admitted_s: float
    deadline_s: float
    journey: Journey | None = None
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, answer: Answer) -> None:
        """Answers; a second time, or after the caller has gone, is a no-op."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Journey(Protocol):
    """One cohort on its way."""

    async def travel(self, on_quorum: Callable[[], None]) -> None:
        """Answers every ticket of the cohort; says so when the quorum of votes is in."""
        ...

    def settle_now(self, ticket: Ticket) -> None:
        """Answers one ticket at its deadline with what there is; the others travel on."""
        ...


class Route(Protocol):
    """Where cohorts go: one version of one game."""

    @property
    def messages(self) -> int:
        """How many messages a journey costs: the lanes that it fills."""
        ...

    def depart(self, tickets: list[Ticket]) -> Journey:
        """Sends `tickets` on their way."""
        ...

    def abandon(self, tickets: list[Ticket]) -> None:
        """Answers `tickets` after a bug on the way."""
        ...


class Pressure(Protocol):
    """Whether this machine's processes wait for a CPU."""

    def is_starved(self) -> bool:
        """Whether another cohort under way would only break the batches up."""
        ...


class Purse:
    """A token bucket of CPU seconds: earns a share of the time, pays for journeys, holds the price of two."""

    def __init__(self, now_s: float) -> None:
        self._saved_s = 0.0
        self._counted_s = now_s

    def short_s(self, price_s: float, now_s: float) -> float:
        """How long from `now_s` until a journey of `price_s` can be paid; 0 when it can be now."""
        self._earn(price_s, now_s)
        return max(0.0, price_s - self._saved_s) / EARNED_CPU_SHARE

    def pay(self, price_s: float, now_s: float) -> None:
        """Takes out the price, or what there is: a journey that departs for want of others is never in debt."""
        self._earn(price_s, now_s)
        self._saved_s = max(0.0, self._saved_s - price_s)

    def _earn(self, price_s: float, now_s: float) -> None:
        earned_s = (now_s - self._counted_s) * EARNED_CPU_SHARE
        self._saved_s = min(self._saved_s + earned_s, PURSE_JOURNEYS * price_s)
        self._counted_s = now_s


@dataclass(slots=True, eq=False)
class _Cohort:
    route: Route
    tickets: list[Ticket]
    departed_s: float
    is_under_way: bool = True
    straggler_timer: asyncio.TimerHandle | None = None


class Cohorts:
    """Gathers tickets by route and lets them depart: at once when none is under way, else when the policy allows.

    Bounded: at most `max_waiting` tickets wait. Every journey runs in `tasks`, whose block outlives it.
    """

    def __init__(self, tasks: asyncio.TaskGroup, pressure: Pressure, max_waiting: int) -> None:
        self._tasks = tasks
        self._pressure = pressure
        self._max_waiting = max_waiting
        self._waiting: dict[Route, deque[Ticket]] = {}
        self._waiting_count = 0
        self._under_way = 0
        self._purse = Purse(time.monotonic())
        self._timer: asyncio.TimerHandle | None = None
        self._last_size = 0
        self._last_journey_s = 0.0
        self._last_return_s = 0.0

    @property
    def under_way(self) -> int:
        """Cohorts that have departed and whose next would have to be paid for."""
        return self._under_way

    def waiting(self, route: Route) -> int:
        """Tickets that wait for a cohort on `route`."""
        return len(self._waiting.get(route, ()))

    def admit(self, route: Route, ticket: Ticket) -> None:
        """Puts `ticket` into the next cohort of `route`; raises Overloaded when too many wait."""
        if self._waiting_count >= self._max_waiting:
            self._drop_answered()
        if self._waiting_count >= self._max_waiting:
            raise Overloaded(f"{self._waiting_count} requests are waiting")
        queue = self._waiting.get(route)
        if queue is None:
            queue = self._waiting[route] = deque()
        queue.append(ticket)
        self._waiting_count += 1
        self._consider()

    def _drop_answered(self) -> None:
        for route, queue in self._waiting.items():
            self._waiting[route] = deque(ticket for ticket in queue if not ticket.answer.done())
        self._waiting_count = sum(map(len, self._waiting.values()))

    def _consider(self) -> None:
        while self._waiting_count:
            route = self._next_route()
            wait_s = self._wait_s(route, time.monotonic())
            if wait_s is None:
                return
            if wait_s > 0:
                self._look_again_in(wait_s)
                return
            self._depart(route)

    def _next_route(self) -> Route:
        return min((queue[0].admitted_s, id(route), route) for route, queue in self._waiting.items() if queue)[2]

    def _wait_s(self, route: Route, now_s: float) -> float | None:
        """How long the next cohort still has to wait: 0 not at all, None until another returns."""
        starved = self._pressure.is_starved()
        if self._under_way == 0:
            return self._linger_s(now_s) if starved else 0.0
        if starved:
            return None
        return self._purse.short_s(route.messages * MESSAGE_CPU_S, now_s)

    def _linger_s(self, now_s: float) -> float:
        # After a big cohort its callers' next requests trickle in; the first of them must not leave alone.
        if 2 * self._waiting_count >= self._last_size:
            return 0.0
        return max(0.0, self._last_return_s + LINGER_SHARE * self._last_journey_s - now_s)

    def _look_again_in(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._consider()

    def _depart(self, route: Route) -> None:
        tickets = self._board(self._waiting[route])
        now_s = time.monotonic()
        if tickets:
            self._purse.pay(route.messages * MESSAGE_CPU_S, now_s)
            self._under_way += 1
            self._last_size = len(tickets)
            self._tasks.create_task(self._travel(_Cohort(route, tickets, now_s)))

    def _board(self, queue: deque[Ticket]) -> list[Ticket]:
        tickets: list[Ticket] = []
        rows = 0
        while queue and len(tickets) < MAX_COHORT_REQUESTS:
            is_wanted = not queue[0].answer.done()
            rows += queue[0].passenger.rows if is_wanted else 0
            if tickets and rows > MAX_COHORT_ROWS:
                break
            ticket = queue.popleft()
            self._waiting_count -= 1
            if is_wanted:
                tickets.append(ticket)
        return tickets

    async def _travel(self, cohort: _Cohort) -> None:
        try:
            journey = cohort.route.depart(cohort.tickets)
            await journey.travel(lambda: self._allow_stragglers(cohort))
        except Exception:  # many callers share this journey: a bug on it must not leave them without an answer
            _log.exception("a journey broke off")
            cohort.route.abandon(cohort.tickets)
        finally:
            if cohort.straggler_timer is not None:
                cohort.straggler_timer.cancel()
            for ticket in cohort.tickets:  # a cycle would keep the cohort's rows until the collector comes by
                ticket.journey = None
            self._return(cohort)

    def _allow_stragglers(self, cohort: _Cohort) -> None:
        """The quorum is in: the others get as long again, then the next cohort waits for them no more."""
        as_long_s = max(time.monotonic() - cohort.departed_s, STRAGGLER_FLOOR_S)
        cohort.straggler_timer = asyncio.get_running_loop().call_later(as_long_s, self._return, cohort)

    def _return(self, cohort: _Cohort) -> None:
        if cohort.is_under_way:
            cohort.is_under_way = False
            self._under_way -= 1
            self._last_return_s = time.monotonic()
            self._last_journey_s = self._last_return_s - cohort.departed_s
            self._consider()
