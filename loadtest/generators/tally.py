"""The answers that a generator counts: those within the measured time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """The measured part of a run, in monotonic time; the warm-up comes before it."""

    start_s: float
    end_s: float

    def holds(self, time_s: float) -> bool:
        """Whether the time is within the window."""
        return self.start_s <= time_s < self.end_s


@dataclass(slots=True)
class Tally:
    """Latencies of the counted answers, how late their requests were sent, and the number of answers by source."""

    latencies_ms: list[float] = field(default_factory=list)
    slips_ms: list[float] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, latency_s: float, source: str) -> None:
        """Counts one answer."""
        self.latencies_ms.append(round(latency_s * 1000, 3))
        self.sources[source] += 1
