"""The table of the step scenario: rates, latencies and full answers at each number of users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loadtest.swarm.shapes import RUN_TIME_S, STEPS, USERS, users_at
from loadtest.swarm.timeline import Timeline, row_of

COLUMNS = {
    "step": "Step",
    "users": "Users",
    "rate": "Requests per second",
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
    "full": "Full answers %",
    "errors": "Errors %",
}
# Locust starts the users of a step in its first second, which is left out; a short step has no second to spare.
SETTLING_S, SHORT_STEP_S = 1.0, 5.0


def rows(timeline: Timeline, options: Any, began_s: float, now_s: float) -> Iterator[dict[str, float]]:
    """A row for each step that has answers; `began_s` and `now_s` are seconds since the epoch.

    Empty for the other scenarios.
    """
    if options.scenario != "step":
        return
    run_time_s = float(options.run_time or RUN_TIME_S)
    length_s = run_time_s / STEPS
    settling_s = SETTLING_S if length_s >= SHORT_STEP_S else 0.0
    for number in range(STEPS):
        start_s, end_s = began_s + number * length_s, min(now_s, began_s + (number + 1) * length_s)
        histograms, seconds = timeline.between(start_s + settling_s, end_s)
        found = row_of(histograms)
        if found["answers"]:
            users = users_at("step", (number + 0.5) * length_s, run_time_s, int(options.num_users or USERS))
            yield {"step": number + 1, "users": users, "rate": round(found.pop("answers") / seconds, 1), **found}
