"""Interval: two metrics pages of one supervisor, and the rates between them."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.cli.metrics_page import Page
from mesh.cli.status.quantiles import Bucket


@dataclass(frozen=True, slots=True)
class Interval:
    """Two metrics pages of one supervisor, read `seconds` apart."""

    before: Page
    after: Page
    seconds: float

    def increase(self, name: str, **labels: str) -> float:
        """The increase of a counter. After a restart of the supervisor it counts from 0."""
        before, after = self.before.total(name, **labels), self.after.total(name, **labels)
        return after - before if after >= before else after

    def rate(self, name: str, **labels: str) -> float:
        """The increase of a counter per second."""
        return self.increase(name, **labels) / self.seconds

    def mean(self, name: str, **labels: str) -> float | None:
        """The mean of the observations of a histogram; None if there were no observations."""
        count = self.increase(f"{name}_count", **labels)
        return self.increase(f"{name}_sum", **labels) / count if count else None

    def buckets(self, name: str, **labels: str) -> list[Bucket]:
        """The observations of a histogram as cumulative counts by upper bound."""
        bounds = {sample.labels["le"] for sample in self.after.find(f"{name}_bucket", **labels)}
        return [
            (float(bound), self.increase(f"{name}_bucket", **labels, le=bound)) for bound in sorted(bounds, key=float)
        ]
