"""Cohorts: groups of waiting requests that make one journey together (docs/decisions/0002-cohorts.md)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from weakref import WeakKeyDictionary

from mesh.dealing import MAX_COHORT_REQUESTS, MAX_COHORT_ROWS
from mesh.errors import Overloaded
from supervisor.departure import DeparturePolicy, StarvationGauge
from supervisor.forecast import Forecast
from supervisor.ticket import Journey, Ticket

# The models that have not voted at the quorum get at least this long before the next cohort may depart.
STRAGGLER_FLOOR_S = 0.005
# A journey that the deadline ended would have taken longer, by an unknown factor. This is our guess of the factor.
CUT_SHORT_FACTOR = 2.0
_log = logging.getLogger("supervisor.cohort")


class Route(Protocol):
    """The destination of cohorts: versions of a game that share models, or one version. `VersionGroup` implements it.

    The requests of a cohort may be of several versions (docs/decisions/0019-shared-members.md).
    """

    @property
    def messages(self) -> int:
        """The number of messages that a journey costs."""
        ...

    def backlog_s(self, ticket: Ticket, waiting_rows: Mapping[str, int]) -> float:
        """Returns the time until the models have scored the rows of `ticket`, behind all rows before them.

        `waiting_rows`, by version, have not departed. Returns 0 if there are no rows before them.
        """
        ...

    def depart(self, tickets: list[Ticket]) -> Journey:
        """Starts the journey of a cohort."""
        ...

    def abandon(self, tickets: list[Ticket]) -> None:
        """Answers `tickets` after a bug on their journey."""
        ...


@dataclass(slots=True, eq=False)
class _Queue:
    """The waiting tickets of one route, the numbers of them and of their rows, and the forecasts, each by version."""

    route: Route | None = None  # while tickets wait: it must stay in memory until they have left
    tickets: deque[Ticket] = field(default_factory=deque)
    requests: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    forecasts: defaultdict[str, Forecast] = field(default_factory=lambda: defaultdict(Forecast))

    def count(self, ticket: Ticket, sign: int) -> None:
        """Counts a ticket that comes (1) or leaves (-1)."""
        self.requests[ticket.version] += sign
        self.rows[ticket.version] += sign * ticket.passenger.rows

    def release(self) -> None:
        """Lets the route go if no ticket waits."""
        if not self.tickets:
            self.route = None

    def keep_unanswered(self) -> None:
        """Drops the tickets that are answered already."""
        self.tickets = deque(ticket for ticket in self.tickets if not ticket.answer.done())
        self.release()
        self.requests.clear()
        self.rows.clear()
        for ticket in self.tickets:
            self.count(ticket, 1)


@dataclass(slots=True, eq=False)
class _Cohort:
    """A cohort on its journey. It returns once for each version: `awaited` are those that have not returned."""

    route: Route
    tickets: list[Ticket]
    rows: int
    departed_s: float
    expected_s: float  # the forecast time of its first return
    awaited: set[str]
    quorate: set[str] = field(default_factory=set)  # the versions with a quorum
    straggler_timers: list[asyncio.TimerHandle] = field(default_factory=list)


class Cohorts:
    """Gathers tickets by route, and starts a journey for each cohort when the departure policy allows it.

    Refuses a ticket if `max_waiting` tickets wait, or if load would make its answer late. Journeys run as tasks of
    `tasks`; leave its block only after the last use of this object. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        starvation: StarvationGauge,
        max_waiting: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks = tasks
        self._policy = DeparturePolicy(starvation, clock())
        self._max_waiting = max_waiting
        self._clock = clock
        # By weak keys, because a route of a catalog that is not in force any more must not stay in memory.
        self._queues: WeakKeyDictionary[Route, _Queue] = WeakKeyDictionary()
        self._waiting_count = 0
        self._under_way: set[_Cohort] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.departures = 0  # cohorts that have departed
        self.on_idle: Callable[[], None] = lambda: None  # called when no cohort is under way any more

    @property
    def waiting_count(self) -> int:
        """The number of tickets that wait for a cohort on any route."""
        return self._waiting_count

    @property
    def under_way(self) -> int:
        """The number of cohorts under way. A cohort that only waits for stragglers does not count."""
        return len(self._under_way)

    def waiting(self, route: Route, version: str) -> int:
        """The number of tickets of `version` that wait for a cohort on `route`."""
        return self._queues[route].requests[version] if route in self._queues else 0

    def admit(self, route: Route, ticket: Ticket) -> None:
        """Adds `ticket` to the next cohort of `route`.

        Raises Overloaded if too many tickets wait, if that cohort would return after the ticket's deadline, or if the
        models have more rows than they can score before it.
        """
        if self._waiting_count >= self._max_waiting:
            self._drop_answered()
        if self._waiting_count >= self._max_waiting:
            raise Overloaded(f"{self._waiting_count} requests are waiting")
        queue = self._queues.get(route)
        if queue is None:
            queue = self._queues[route] = _Queue()
        if self._under_way and self._would_be_late(route, queue, ticket):
            raise Overloaded(f"{len(queue.tickets)} requests are waiting, the answer to this one would be too late")
        backlog_s = route.backlog_s(ticket, queue.rows)
        if backlog_s and self._clock() + backlog_s > ticket.deadline_s:
            raise Overloaded(f"the models need {backlog_s:.3f} s for the requests before this one")
        queue.route = route
        queue.tickets.append(ticket)
        queue.count(ticket, 1)
        self._waiting_count += 1
        self._depart_if_due()

    def _would_be_late(self, route: Route, queue: _Queue, ticket: Ticket) -> bool:
        """Returns whether load will likely delay the next cohort, with `ticket`, beyond the deadline of `ticket`.

        A ticket whose deadline is too short even without load is admitted: some votes will arrive in time.
        """
        now_s = self._clock()
        forecast, rows = queue.forecasts[ticket.version], sum(queue.rows.values()) + ticket.passenger.rows
        wait_s = self._wait_s(route, now_s)
        departs_s = min(cohort.expected_s for cohort in self._under_way) if wait_s is None else now_s + wait_s
        returns_s = max(departs_s, now_s) + forecast.at_most_s(rows)
        return returns_s > ticket.deadline_s and forecast.is_congested(returns_s - now_s)

    def _drop_answered(self) -> None:
        for queue in self._queues.values():
            queue.keep_unanswered()
        self._waiting_count = sum(len(queue.tickets) for queue in self._queues.values())

    def _depart_if_due(self) -> None:
        while self._waiting_count:
            route = self._next_route()
            wait_s = self._wait_s(route, self._clock())
            if wait_s is None:  # the next return calls this method again
                return
            if wait_s > 0:
                self._start_timer(wait_s)
                return
            self._depart(route)

    def _next_route(self) -> Route:
        """Returns the route of the ticket that has waited longest."""
        waiting = (
            (queue.tickets[0].admitted_s, id(route), route) for route, queue in self._queues.items() if queue.tickets
        )
        return min(waiting)[2]

    def _wait_s(self, route: Route, now_s: float) -> float | None:
        return self._policy.wait_s(now_s, route.messages, self._waiting_count, bool(self._under_way))

    def _start_timer(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._depart_if_due()

    def _depart(self, route: Route) -> None:
        queue = self._queues[route]
        tickets = self._take(queue)
        now_s = self._clock()
        if tickets:
            self._policy.record_departure(now_s, route.messages, len(tickets))
            rows = sum(ticket.passenger.rows for ticket in tickets)
            versions = {ticket.version for ticket in tickets}
            journeys_s = [queue.forecasts[version].journey_s(rows) for version in versions]
            journey_s = min(filter(None, journeys_s), default=0.0)  # a version without a quorum has no forecast
            cohort = _Cohort(route, tickets, rows, now_s, now_s + journey_s, versions)
            self._under_way.add(cohort)
            self.departures += 1
            self._tasks.create_task(self._travel(cohort))

    def _take(self, queue: _Queue) -> list[Ticket]:
        """Takes the tickets of the next cohort out of `queue`; drops the tickets that are answered already."""
        tickets: list[Ticket] = []
        rows = 0
        while queue.tickets and len(tickets) < MAX_COHORT_REQUESTS:
            head = queue.tickets[0]
            is_wanted = not head.answer.done()
            rows += head.passenger.rows if is_wanted else 0
            if tickets and rows > MAX_COHORT_ROWS:
                break
            queue.tickets.popleft()
            queue.count(head, -1)
            self._waiting_count -= 1
            if is_wanted:
                tickets.append(head)
        queue.release()
        return tickets

    async def _travel(self, cohort: _Cohort) -> None:
        try:
            journey = cohort.route.depart(cohort.tickets)
            for ticket in cohort.tickets:
                ticket.journey = journey
            await journey.travel(partial(self._return_soon, cohort))
        except Exception:  # many callers share this journey: a bug on it must not leave them without an answer
            _log.exception("A journey failed; its requests get the fallback")
            cohort.route.abandon(cohort.tickets)
        finally:
            for timer in cohort.straggler_timers:
                timer.cancel()
            for ticket in cohort.tickets:  # breaks the reference cycle, which would keep the rows in memory
                ticket.journey = None
            for version in list(cohort.awaited):
                self._return(cohort, version)

    def _return_soon(self, cohort: _Cohort, version: str) -> None:
        """Lets the next cohort depart soon, because the quorum of `version` has voted.

        The journey still waits for the other votes, but after as long again as the quorum took, the cohort no longer
        counts as under way: the slow models of one version do not delay another version.
        """
        cohort.quorate.add(version)
        as_long_s = max(self._clock() - cohort.departed_s, STRAGGLER_FLOOR_S)
        loop = asyncio.get_running_loop()
        cohort.straggler_timers.append(loop.call_later(as_long_s, self._return, cohort, version))

    def _return(self, cohort: _Cohort, version: str) -> None:
        """Learns from the return of `version`. The first version that returns ends the time under way."""
        if version not in cohort.awaited:
            return
        cohort.awaited.remove(version)
        now_s = self._clock()
        journey_s = now_s - cohort.departed_s
        self._learn(cohort, version, now_s, journey_s)
        if cohort in self._under_way:
            self._under_way.remove(cohort)
            self._policy.record_return(now_s, journey_s)
            self._depart_if_due()
            if not self._under_way:
                self.on_idle()

    def _learn(self, cohort: _Cohort, version: str, now_s: float, journey_s: float) -> None:
        forecast = self._queues[cohort.route].forecasts[version]
        if now_s >= max(ticket.deadline_s for ticket in cohort.tickets if ticket.version == version):
            # The last deadline ended this journey. Its full time is unknown, but longer: it counts double.
            forecast.learn(cohort.rows, CUT_SHORT_FACTOR * journey_s)
        elif version in cohort.quorate:  # a journey without a quorum does not show how fast the models are
            forecast.learn(cohort.rows, journey_s)
