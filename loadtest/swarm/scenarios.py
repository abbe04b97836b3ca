"""The chosen scenario, as locust wants to hear of it: once a second."""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape

from loadtest.swarm.shapes import users_at

RUN_TIME_S = 300.0  # where none is given
USERS = 50


class Scenario(LoadTestShape):
    """Plays `--scenario` over `--run-time`, with `--users` as its peak."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """The number of users and how many may come or go a second; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        elapsed_s, run_time_s = self.get_run_time(), float(options.run_time or RUN_TIME_S)
        if elapsed_s >= run_time_s:
            return None
        peak = int(options.num_users or USERS)
        # All at once: how fast users come is the scenario's business, not that of locust's --spawn-rate.
        return users_at(options.scenario, elapsed_s, run_time_s, peak), float(peak)
