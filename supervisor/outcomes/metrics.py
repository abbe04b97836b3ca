"""The Prometheus metrics of outcomes (docs/metrics.md)."""

from __future__ import annotations

import enum

from prometheus_client import CollectorRegistry, Counter


class Refusal(enum.StrEnum):
    """Why a report was not taken."""

    WRONG = "wrong"  # the report is wrong; its caller must change it
    NO_LOG = "no-log"  # the catalog of the game has no `decisions` block
    LOG_FULL = "log-full"  # the log has no room
    OVERLOADED = "overloaded"  # offers need the CPU
    NOT_ALLOWED = "not-allowed"  # its caller may not report for the game
    OVER_QUOTA = "over-quota"  # its caller has sent more requests than its quota


class OutcomeMetrics:
    """Counts reports of outcomes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._taken = Counter(
            "mesh_outcomes", "Outcomes taken into the log, by kind.", ("game", "kind"), registry=registry
        )
        self._duplicates = Counter(
            "mesh_outcome_duplicates", "Repeated reports of an outcome.", ("game",), registry=registry
        )
        refused = Counter(
            "mesh_outcomes_refused", "Reports of outcomes that were not taken.", ("reason",), registry=registry
        )
        self._refused = {reason: refused.labels(reason.value) for reason in Refusal}

    def count(self, game: str, kind: str) -> None:
        """Counts an outcome that was taken."""
        self._taken.labels(game, kind).inc()

    def count_duplicate(self, game: str) -> None:
        """Counts a repeated report."""
        self._duplicates.labels(game).inc()

    def refuse(self, reason: Refusal) -> None:
        """Counts a report that was not taken."""
        self._refused[reason].inc()
