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
from supervisor.forecast import Forecast
from supervisor.purse import Purse
from supervisor.rows import Passenger

MESSAGE_CPU_S = 0.0002
MAX_COHORT_ROWS = 4096
MAX_COHORT_REQUESTS = 512
LINGER_SHARE = 0.25
STRAGGLER_FLOOR_S = 0.005
BROKEN_OFF = 2.0
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


@dataclass(slots=True, eq=False)
class _Queue:
    """What waits for a cohort on one route, and what is known of its journeys."""

    tickets: deque[Ticket] = field(default_factory=deque)
    rows: int = 0
    forecast: Forecast = field(default_factory=Forecast)


@dataclass(slots=True, eq=False)
class _Cohort:
    route: Route
    tickets: list[Ticket]
    rows: int
    departed_s: float
    due_s: float  # when it should return
    straggler_timer: asyncio.TimerHandle | None = None


class Cohorts:
    """Gathers tickets by route and lets them depart: at once when none is under way, else when the policy allows.

    Bounded: at most `max_waiting` tickets wait, and none that would not be answered in time. Every journey runs in
    `tasks`, whose block outlives it.
    """

    def __init__(self, tasks: asyncio.TaskGroup, pressure: Pressure, max_waiting: int) -> None:
        self._tasks = tasks
        self._pressure = pressure
        self._max_waiting = max_waiting
        self._queues: dict[Route, _Queue] = {}
        self._waiting_count = 0
        self._under_way: set[_Cohort] = set()
        self._purse = Purse(time.monotonic())
        self._timer: asyncio.TimerHandle | None = None
        self._last_size = 0
        self._last_journey_s = 0.0
        self._last_return_s = 0.0

    @property
    def under_way(self) -> int:
        """Cohorts that have departed and whose next would have to be paid for."""
        return len(self._under_way)

    def waiting(self, route: Route) -> int:
        """Tickets that wait for a cohort on `route`."""
        return len(self._queues[route].tickets) if route in self._queues else 0

    def admit(self, route: Route, ticket: Ticket) -> None:
        """Puts `ticket` into the next cohort of `route`.

        Raises Overloaded when too many wait, or when that cohort would return after the ticket's deadline.
        """
        if self._waiting_count >= self._max_waiting:
            self._drop_answered()
        if self._waiting_count >= self._max_waiting:
            raise Overloaded(f"{self._waiting_count} requests are waiting")
        queue = self._queues.get(route)
        if queue is None:
            queue = self._queues[route] = _Queue()
        rows = queue.rows + ticket.passenger.rows
        if self._under_way and self._would_be_late(route, queue, rows, ticket):
            raise Overloaded(f"{len(queue.tickets)} requests are waiting, this one would be answered too late")
        queue.tickets.append(ticket)
        queue.rows = rows
        self._waiting_count += 1
        self._consider()

    def _would_be_late(self, route: Route, queue: _Queue, rows: int, ticket: Ticket) -> bool:
        """Whether the next cohort, of `rows`, will likely be back too late for `ticket`, because too many ask.

        Where only the deadline is short, it may try: some votes will be in.
        """
        now_s = time.monotonic()
        wait_s = self._wait_s(route, now_s)
        departs_s = min(cohort.due_s for cohort in self._under_way) if wait_s is None else now_s + wait_s
        back_s = max(departs_s, now_s) + queue.forecast.at_most_s(rows)
        return back_s > ticket.deadline_s and queue.forecast.is_congested(back_s - now_s)

    def _drop_answered(self) -> None:
        for queue in self._queues.values():
            queue.tickets = deque(ticket for ticket in queue.tickets if not ticket.answer.done())
            queue.rows = sum(ticket.passenger.rows for ticket in queue.tickets)
        self._waiting_count = sum(len(queue.tickets) for queue in self._queues.values())

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
        waiting = (
            (queue.tickets[0].admitted_s, id(route), route) for route, queue in self._queues.items() if queue.tickets
        )
        return min(waiting)[2]

    def _wait_s(self, route: Route, now_s: float) -> float | None:
        """How long the next cohort still has to wait: 0 not at all, None until another returns."""
        starved = self._pressure.is_starved()
        if not self._under_way:
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
        queue = self._queues[route]
        tickets = self._board(queue)
        now_s = time.monotonic()
        if tickets:
            self._purse.pay(route.messages * MESSAGE_CPU_S, now_s)
            rows = sum(ticket.passenger.rows for ticket in tickets)
            cohort = _Cohort(route, tickets, rows, now_s, now_s + queue.forecast.journey_s(rows))
            self._under_way.add(cohort)
            self._last_size = len(tickets)
            self._tasks.create_task(self._travel(cohort))

    def _board(self, queue: _Queue) -> list[Ticket]:
        tickets: list[Ticket] = []
        rows = 0
        while queue.tickets and len(tickets) < MAX_COHORT_REQUESTS:
            head = queue.tickets[0]
            is_wanted = not head.answer.done()
            rows += head.passenger.rows if is_wanted else 0
            if tickets and rows > MAX_COHORT_ROWS:
                break
            queue.tickets.popleft()
            queue.rows -= head.passenger.rows
            self._waiting_count -= 1
            if is_wanted:
                tickets.append(head)
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
        if cohort in self._under_way:
            self._under_way.remove(cohort)
            self._last_return_s = time.monotonic()
            self._last_journey_s = self._last_return_s - cohort.departed_s
            self._learn(cohort)
            self._consider()

    def _learn(self, cohort: _Cohort) -> None:
        forecast = self._queues[cohort.route].forecast
        if self._last_return_s >= max(ticket.deadline_s for ticket in cohort.tickets):
            # Broken off when its last passenger's time was up: it would have taken longer, nobody knows how much.
            forecast.learn(cohort.rows, BROKEN_OFF * self._last_journey_s)
        elif cohort.straggler_timer is not None:  # without a quorum it says nothing of the models' pace
            forecast.learn(cohort.rows, self._last_journey_s)
