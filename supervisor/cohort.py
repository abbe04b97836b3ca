"""Cohorts: groups of waiting requests that make one journey together (docs/decisions/0002-cohorts.md)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

from mesh.dealing import MAX_COHORT_REQUESTS, MAX_COHORT_ROWS
from mesh.errors import Overloaded
from supervisor.callers_present import CallersPresent
from supervisor.departure import DeparturePolicy, StarvationGauge
from supervisor.fair_limits import fair_rows, is_hopeless, new_rows, room_wait_s
from supervisor.ticket import Ticket
from supervisor.waiting import Route, Waiting, heaviest_line, loads_of

# The models that have not voted at the quorum get at least this long before the next cohort may depart.
STRAGGLER_FLOOR_S = 0.005
# A journey that the deadline ended would have taken longer, by an unknown factor. This is our guess of the factor.
CUT_SHORT_FACTOR = 2.0
_log = logging.getLogger("supervisor.cohort")


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

    Refuses a ticket if `max_waiting` tickets wait, or if load would make its answer late. While several callers are
    present, they share the departures by weight, and the caller with the most waiting rows for its weight is refused
    first (docs/decisions/0030-fairness.md). Journeys run as tasks of `tasks`; leave its block only after the last use
    of this object. `clock` is monotonic, in seconds.
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
        self._queues: WeakKeyDictionary[Route, Waiting] = WeakKeyDictionary()
        self._callers = CallersPresent()
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

    def waiting_of_callers(self, route: Route) -> dict[str, int]:
        """The number of tickets that wait for a cohort on `route`, by caller. The metrics thread may call it."""
        return self._queues[route].tickets.counts() if route in self._queues else {}

    def admit(self, route: Route, ticket: Ticket) -> None:
        """Adds `ticket` to the next cohort of `route`.

        Raises Overloaded if too many tickets wait, if that cohort would return after the ticket's deadline, or if the
        models have more rows than they can score before it.
        """
        queue = self._queues.get(route)
        if queue is None:
            queue = self._queues[route] = Waiting()
        self._callers.record(ticket.caller, ticket.admitted_s)
        if self._waiting_count >= self._max_waiting:
            self._make_room(queue, ticket)
        if self._callers.are_several:
            self._check_share(route, queue, ticket)
        else:
            self._check_time(route, queue, ticket, queue.tickets.rows, queue.rows)
        queue.add(route, ticket)
        self._waiting_count += 1
        self._depart_if_due()

    def _make_room(self, queue: Waiting, ticket: Ticket) -> None:
        """Refuses the newest ticket of the caller with the most waiting rows for its weight, if that is not `ticket`.

        Raises Overloaded if it is. A critical caller counts after all others.
        """
        self._waiting_count -= sum(queue.drop_answered() for queue in self._queues.values())
        if self._waiting_count < self._max_waiting:
            return
        heaviest, loaded = heaviest_line(self._queues.values())
        if queue.rank_with(ticket) >= loaded.rank:
            raise Overloaded(f"{self._waiting_count} requests are waiting")
        self._waiting_count -= 1
        heaviest.refuse_newest(loaded)

    def _check_share(self, route: Route, queue: Waiting, ticket: Ticket) -> None:
        """Raises Overloaded if the share of the caller does not suffice to answer `ticket` in time.

        Only the tickets of its own caller are before it. A caller below its share is not refused, nor is a critical
        caller whose tickets all depart in the next cohort.
        """
        line = queue.tickets.line(ticket.caller)
        if line is None or queue.tickets.is_below_share(ticket):
            return
        if not ticket.is_critical or line.wait_s:
            rows = min(queue.tickets.rows, queue.limit_rows)
            self._check_time(route, queue, ticket, rows, {ticket.version: line.rows}, line.wait_s)

    def _check_time(
        self,
        route: Route,
        queue: Waiting,
        ticket: Ticket,
        cohort_rows: float,
        waiting_rows: Mapping[str, int],
        wait_s: float = 0.0,
    ) -> None:
        """Raises Overloaded if load will likely delay the answer beyond the deadline of `ticket`.

        `ticket` departs with `cohort_rows`, `wait_s` after the next cohort, and behind `waiting_rows`.
        """
        if self._under_way and self._would_be_late(route, queue, ticket, cohort_rows, wait_s):
            raise Overloaded(f"{queue.tickets.count} requests are waiting, the answer to this one would be too late")
        backlog_s = route.backlog_s(ticket, {} if wait_s else waiting_rows)
        if backlog_s and self._clock() + wait_s + backlog_s > ticket.deadline_s:
            raise Overloaded(f"the models need {wait_s + backlog_s:.3f} s for the requests before this one")

    def _would_be_late(self, route: Route, queue: Waiting, ticket: Ticket, cohort_rows: float, wait_s: float) -> bool:
        """Returns whether load will likely delay the cohort of `ticket` beyond its deadline.

        A ticket whose deadline is too short even without load is admitted: some votes will arrive in time.
        """
        now_s = self._clock()
        forecast, rows = queue.forecasts[ticket.version], cohort_rows + ticket.passenger.rows
        next_s = self._wait_s(route, now_s)
        departs_s = min(cohort.expected_s for cohort in self._under_way) if next_s is None else now_s + next_s
        returns_s = max(departs_s, now_s) + wait_s + forecast.at_most_s(rows)
        return returns_s > ticket.deadline_s and forecast.is_congested(returns_s - now_s)

    def _depart_if_due(self) -> None:
        while self._waiting_count:
            wait_s = self._depart_next()
            if wait_s is None:  # the next return calls this method again
                return
            if wait_s > 0:
                self._start_timer(wait_s)
                return

    def _depart_next(self) -> float | None:
        """Lets a cohort depart, and returns 0; otherwise how long the next cohort waits, or None until a return."""
        room_waits_s = []
        for queue, route in self._by_turn():
            wait_s = self._wait_s(route, self._clock())
            if wait_s is None or wait_s > 0:
                return wait_s
            room_s = room_wait_s(queue) if self._callers.are_several else 0.0
            if not room_s:
                self._depart(route)
                return 0.0
            room_waits_s.append(room_s)
        return min(room_waits_s)

    def _by_turn(self) -> list[tuple[Waiting, Route]]:
        """Returns the routes with waiting tickets, in the order of their turns.

        The route of the ticket that has waited longest is first. If several callers are present, those with critical
        tickets are first, then those that departed longest ago.
        """
        waiting = [(queue, route) for route, queue in self._queues.items() if queue.tickets]
        if len(waiting) > 1:
            are_several = self._callers.are_several
            waiting.sort(key=lambda one: one[0].turn if are_several else one[0].tickets.head.admitted_s)
        return waiting

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
        tickets = self._take(queue, route)
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
            queue.departure = self.departures
            self._tasks.create_task(self._travel(cohort))

    def _take(self, queue: Waiting, route: Route) -> list[Ticket]:
        """Takes the tickets of the next cohort out of `queue`; drops the tickets that are answered already."""
        if not self._callers.are_several:
            taken = queue.tickets.take(MAX_COHORT_REQUESTS, MAX_COHORT_ROWS)
        else:
            now_s = self._clock()
            rows = queue.limit_rows = fair_rows(queue, loads_of(self._queues.values()), self._callers, now_s)
            is_late = partial(is_hopeless, queue, now_s=now_s, rows=min(rows, queue.tickets.rows))
            # While no cohort is under way, the next one departs in any case: the forecast learns only from journeys.
            is_late_now = is_late if self._under_way else None
            taken = queue.tickets.take(MAX_COHORT_REQUESTS, MAX_COHORT_ROWS, rows, new_rows(queue), is_late_now)
            queue.tickets.learn(now_s)
        queue.count_taken(taken)
        self._waiting_count -= sum(map(len, taken))
        if taken.late:
            route.refuse(taken.late, "the caller sends more than its share, and this request has waited too long")
        return taken.departing

    async def _travel(self, cohort: _Cohort) -> None:
        try:
            journey = cohort.route.depart(cohort.tickets)
            for ticket in cohort.tickets:
                ticket.journey = journey
            await journey.travel(partial(self._return_soon, cohort))
        except Exception:  # many callers share this journey: a bug on it must not leave them without an answer
            ids = " ".join(ticket.decision_id for ticket in cohort.tickets)
            _log.exception("A journey failed; its requests get the fallback", extra={"decision_id": ids})
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
