"""The Prometheus metrics of callers (docs/metrics.md).

Their labels are names of the catalogs, never texts of a peer.
"""

from __future__ import annotations

import enum

from prometheus_client import CollectorRegistry, Counter

from supervisor.answers import Source

UNKNOWN = "(unknown)"  # no name of a caller: a DNS label has no brackets
SEVERAL_GAMES = ""  # in place of the game, if a supervisor of several games refuses a call before it is read


class Result(enum.StrEnum):
    """What became of a request."""

    ENSEMBLE = "ENSEMBLE"  # answered: the sources are those of `mesh_requests_total`
    PARTIAL = "PARTIAL"
    FALLBACK = "FALLBACK"
    TAKEN = "taken"  # a report of an outcome
    WRONG = "wrong"  # the request is wrong, or its report was not taken
    OVER_QUOTA = "over-quota"
    NOT_ALLOWED = "not-allowed"  # the caller may not use the method, the game or the version
    OVERLOADED = "overloaded"  # not read: offers need the CPU
    UNKNOWN = "unknown"  # no catalog names the peer


RESULTS = {source: Result(source.name) for source in Source}


class CallerMetrics:
    """Counts the requests of callers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "mesh_caller_requests",
            "Requests of each caller of the catalogs, by what became of them.",
            ("game", "caller", "outcome"),
            registry=registry,
        )

    def of(self, game: str, caller: str) -> CallerCounts:
        """Returns the counts of one caller."""
        return CallerCounts(self._requests, game, caller)


class CallerCounts:
    """Counts the requests of one caller of one game."""

    def __init__(self, requests: Counter, game: str, caller: str) -> None:
        self._requests = requests
        self._labels = (game, caller)
        self._counters: dict[Result, Counter] = {}

    def count(self, result: Result) -> None:
        """Counts a request."""
        counter = self._counters.get(result)
        if counter is None:  # to find it by its labels takes 7 us
            counter = self._counters[result] = self._requests.labels(*self._labels, result.value)
        counter.inc()
