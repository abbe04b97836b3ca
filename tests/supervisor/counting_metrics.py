"""Metrics of a feature store that a test can read."""

from __future__ import annotations

from dataclasses import dataclass, field

from mesh.errors import MeshError


@dataclass
class CountingMetrics:
    hits: int = 0
    stale: int = 0
    unread: int = 0
    reads: list[int] = field(default_factory=list)
    failures: list[MeshError] = field(default_factory=list)
    left: int = 0
    refused: int = 0

    def served(self, hits: int, stale: int, unread: int) -> None:
        self.hits += hits
        self.stale += stale
        self.unread += unread

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None:
        assert seconds >= 0
        self.reads.append(keys)
        if failure is not None:
            self.failures.append(failure)

    def unprocessed(self, keys: int) -> None:
        self.left += keys

    def throttled(self) -> None:
        self.refused += 1
