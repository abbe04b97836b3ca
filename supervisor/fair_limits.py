"""Limits of the cohorts while several callers are present, so that one of them cannot delay the others.

Reasons and measurements: docs/decisions/0030-fairness.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from supervisor.callers_present import CallersPresent, Load, usual_load
from supervisor.forecast import Forecast
from supervisor.ticket import Ticket
from supervisor.waiting import Waiting

# A cohort may have this multiple of the rows that the callers want, each up to the usual load: the loads of callers
# that send equally much are never exactly equal.
SLACK = 1.25
HEADROOM = 0.25  # of a ticket's time: a cohort fills the models with at most this much work
# The first tickets of callers that send little depart until the models need this part of a ticket's time for the rows
# that they have: critical tickets must still be in time behind them.
ROOM_OF_NEW = 0.5
# A caller without waiting requests counts if it has sent one within this multiple of the time from which answers are
# late because of load: its next request must not wait behind a large cohort of another caller.
RECENT = 2.0
RETRY_S = (0.001, 0.01)  # the shortest and the longest wait until the models are asked again whether they have room


def fair_rows(queue: Waiting, loads: Mapping[str | None, Load], callers: CallersPresent, now_s: float) -> float:
    """Returns the number of rows to which the next cohort of `queue` is limited; `loads` are those of all routes.

    While several callers send, those with more than the usual load fill a cohort only up to the size at which its
    answers become late because of load. Callers that all have the same load do not limit each other.
    """
    head = queue.tickets.head
    forecast = queue.forecasts[head.version]
    limit = math.inf
    if len(loads) > 1 or callers.has_sent_since(head.caller, now_s - RECENT * forecast.congested_s):
        usual = usual_load(loads)
        wanted = sum([min(line.rows, usual * line.weight) for line in queue.tickets.lines])
        limit = max(forecast.rows_within(forecast.congested_s), SLACK * wanted)
    if queue.route is None:
        return limit
    part_s = HEADROOM * (head.deadline_s - head.admitted_s)
    return min(limit, queue.route.room_rows(head.version, max(part_s, _congested_s(forecast, head))))


def new_rows(queue: Waiting) -> float:
    """Returns the number of rows of the next cohort of `queue` above which new lines are limited, too."""
    head = queue.tickets.head
    return queue.route.room_rows(head.version, _room_of_new_s(queue, head)) if queue.route is not None else math.inf


def room_wait_s(queue: Waiting) -> float:
    """Returns how long the next cohort of `queue` waits until the models have room for it; 0: not at all.

    Rows wait in the fair queue and not behind each other in the models' queues, where the row of another caller could
    not overtake them. Critical tickets do not wait, and those of callers that send little have more room.
    """
    if queue.route is None or queue.tickets.has_critical:
        return 0.0
    head = queue.tickets.head
    is_new = queue.tickets.has_new
    limit_s = _room_of_new_s(queue, head) if is_new else _congested_s(queue.forecasts[head.version], head)
    if queue.route.room_rows(head.version, limit_s) > 0:
        return 0.0
    shortest_s, longest_s = RETRY_S
    return min(max(queue.route.backlog_s(head, {}) - limit_s, shortest_s), longest_s)


def is_hopeless(queue: Waiting, ticket: Ticket, now_s: float, rows: float) -> bool:
    """Returns whether load has delayed `ticket` so long that a cohort of `rows` returns after its deadline."""
    if ticket.is_critical:
        return False
    forecast = queue.forecasts[ticket.version]
    returns_s = now_s + forecast.journey_s(rows)
    return returns_s > ticket.deadline_s and forecast.is_congested(returns_s - ticket.admitted_s)


def _room_of_new_s(queue: Waiting, head: Ticket) -> float:
    part_s = ROOM_OF_NEW * (head.deadline_s - head.admitted_s)
    return max(part_s, _congested_s(queue.forecasts[head.version], head))


def _congested_s(forecast: Forecast, head: Ticket) -> float:
    """The time from which answers are late because of load; before the first journey, a part of the time of `head`."""
    if math.isfinite(forecast.congested_s):
        return forecast.congested_s
    return HEADROOM * (head.deadline_s - head.admitted_s)
