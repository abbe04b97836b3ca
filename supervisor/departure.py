"""Departure policy: when the next cohort departs. Reasons and measurements: docs/decisions/0002-cohorts.md."""

from __future__ import annotations

from typing import Protocol

from mesh.dealing import MESSAGE_CPU_S
from supervisor.cpu_budget import CpuBudget

LINGER_SHARE = 0.25


class StarvationGauge(Protocol):
    """Reports whether the processes of this machine wait for a CPU. `MachineStarvation` implements it."""

    def is_starved(self) -> bool:
        """Returns whether one more cohort under way only makes batches smaller."""
        ...


class DeparturePolicy:
    """Decides how long the next cohort waits.

    While no cohort is under way, it departs at once. While one is under way, it departs when the CPU budget covers its
    journey, but on a starved machine not before a cohort returns.
    """

    def __init__(self, starvation: StarvationGauge, now_s: float) -> None:
        self._starvation = starvation
        self._budget = CpuBudget(now_s)
        self._last_requests = 0
        self._last_journey_s = 0.0
        self._last_return_s = 0.0

    def wait_s(self, now_s: float, messages: int, waiting: int, is_under_way: bool) -> float | None:
        """Returns how long the next cohort still waits; 0 means not at all, None until a cohort returns.

        Its journey costs `messages`; `waiting` requests wait on all routes.
        """
        is_starved = self._starvation.is_starved()
        if not is_under_way:
            return self._linger_s(now_s, waiting) if is_starved else 0.0
        if is_starved:
            return None
        return self._budget.wait_s(messages * MESSAGE_CPU_S, now_s)

    def record_departure(self, now_s: float, messages: int, requests: int) -> None:
        """Records a cohort of `requests` that departs now."""
        self._budget.spend(messages * MESSAGE_CPU_S, now_s)
        self._last_requests = requests

    def record_return(self, now_s: float, journey_s: float) -> None:
        """Records a cohort that returns now, after `journey_s`."""
        self._last_return_s = now_s
        self._last_journey_s = journey_s

    def _linger_s(self, now_s: float, waiting: int) -> float:
        # The callers of a large cohort send their next requests one after the other: the first must not depart alone.
        if 2 * waiting >= self._last_requests:
            return 0.0
        return max(0.0, self._last_return_s + LINGER_SHARE * self._last_journey_s - now_s)
