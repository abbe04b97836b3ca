"""The load shape of the selected scenario; locust asks for the number of users once per second."""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape

from loadtest.swarm.shapes import RUN_TIME_S, USERS, users_at


class Scenario(LoadTestShape):
    """Runs `--scenario` over `--run-time`, with `--users` at its peak."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """The number of users, and the spawn rate; None at the end."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        elapsed_s, run_time_s = self.get_run_time(), float(options.run_time or RUN_TIME_S)
        if elapsed_s >= run_time_s:
            return None
        peak = int(options.num_users or USERS)
        # All users at once: the scenario, not locust's --spawn-rate, decides how fast the number changes.
        return users_at(options.scenario, elapsed_s, run_time_s, peak), float(peak)
