"""The counts of a run: stages, sources over time and steps, of this process or of all workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from loadtest.swarm import steps
from loadtest.swarm.stages import Stages
from loadtest.swarm.timeline import Timeline

REPORT_LAG_S = 4.0  # workers report every three seconds
STAGE_COLUMNS = {
    "what": "Stage or model",
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
    "last": "Was last in",
    "tail": "in the slowest 5 %",
}


class Record:
    """Collects one run after the other; `options` are locust's, which the start form may change."""

    def __init__(self, options: Any, is_distributed: bool) -> None:
        self._options = options
        self._lag_s = REPORT_LAG_S if is_distributed else 0.0
        self.stages, self.timeline = Stages(), Timeline()
        self._began_s, self._ended_s = 0.0, 0.0

    def begin(self, now_s: float) -> None:
        """Starts a run; removes the counts of the last one."""
        self.stages.clear()
        self.timeline.clear()
        self._began_s, self._ended_s = now_s, 0.0

    def end(self, now_s: float) -> None:
        """Ends the run."""
        self._ended_s = now_s

    def take(self) -> dict[str, Any]:
        """Returns all counts as plain data and clears them: the report of a worker process."""
        return {"stages": self.stages.take(), "timeline": self.timeline.take()}

    def merge(self, taken: dict[str, Any]) -> None:
        """Adds the counts that `take` returned in another process."""
        self.stages.merge(taken["stages"])
        self.timeline.merge(taken["timeline"])

    @property
    def until_s(self) -> float:
        """The time (epoch) up to which the counts are complete."""
        return self._ended_s or time.time() - self._lag_s

    def steps(self) -> Iterator[dict[str, float]]:
        """The rows of the table of steps."""
        yield from steps.rows(self.timeline, self._options, self._began_s, self.until_s)
