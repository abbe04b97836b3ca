"""What a generator saw: the answers that came within the measured time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """The measured part of a run, in monotonic time; what comes before it warms up."""

    start_s: float
    end_s: float

    def holds(self, moment_s: float) -> bool:
        """Whether the moment counts."""
        return self.start_s <= moment_s < self.end_s


@dataclass(slots=True)
class Tally:
    """Latencies of the answers that counted, how many came from where, and how late requests were sent."""

    latencies_ms: list[float] = field(default_factory=list)
    slips_ms: list[float] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, latency_s: float, source: str) -> None:
        """Counts one answer."""
        self.latencies_ms.append(round(latency_s * 1000, 3))
        self.sources[source] += 1
