"""What `mesh top` shows of each caller: its requests by what became of them, and its queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.cli.status.interval import Interval

_REQUESTS, _WAITING = "mesh_caller_requests_total", "mesh_caller_requests_waiting"
ANSWERED = ("ENSEMBLE", "PARTIAL", "FALLBACK", "taken")


@dataclass(frozen=True, slots=True)
class CallerView:
    """A caller of a game: requests per second by outcome, and its requests that wait for a cohort."""

    game: str
    caller: str
    per_s: dict[str, float]
    waiting: int

    @property
    def total_per_s(self) -> float:
        """All its requests per second."""
        return sum(self.per_s.values())

    @property
    def refused(self) -> dict[str, float]:
        """Its requests per second that were not answered, by outcome, without zeros."""
        return {outcome: rate for outcome, rate in self.per_s.items() if rate and outcome not in ANSWERED}


def callers(interval: Interval) -> Iterator[CallerView]:
    """Yields the view of every caller that has sent a request."""
    page = interval.after
    labels = (sample.labels for sample in (*page.find(_REQUESTS), *page.find(_WAITING)))
    for game, caller in dict.fromkeys((one["game"], one["caller"]) for one in labels):
        per_s: dict[str, float] = {}
        for sample in page.find(_REQUESTS, game=game, caller=caller):
            per_s[sample.labels["outcome"]] = per_s.get(sample.labels["outcome"], 0.0) + sample.value
        yield CallerView(game, caller, per_s, int(page.total(_WAITING, game=game, caller=caller)))
