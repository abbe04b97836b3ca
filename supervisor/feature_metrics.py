"""Metrics of the feature stores: reads, and players that were not read."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from mesh.errors import MeshError
from mesh.telemetry import LATENCY_BUCKETS_S
from supervisor.features.breaker import Spared

REQUEST_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class FeatureFamilies:
    """The metric families of all games, in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reads = Counter(
            "mesh_feature_reads", "Reads of the feature store by outcome.", ("game", "outcome"), registry=registry
        )
        self.keys = Histogram(
            "mesh_feature_read_keys",
            "Players in one read of the feature store.",
            ("game",),
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.seconds = Histogram(
            "mesh_feature_read_seconds",
            "Time of one read of the feature store.",
            ("game",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.players = Counter(
            "mesh_feature_players",
            "Players that were not read from the store: cached, stale or unread.",
            ("game", "how"),
            registry=registry,
        )
        self.unprocessed = Counter(
            "mesh_feature_unprocessed",
            "Keys that the store left unprocessed in a request.",
            ("game",),
            registry=registry,
        )
        self.throttled = Counter(
            "mesh_feature_throttled", "Requests that the store throttled.", ("game",), registry=registry
        )


class FeatureMetrics:
    """Records how the players of one game are read."""

    def __init__(self, families: FeatureFamilies, game: str) -> None:
        self._reads = {word: families.reads.labels(game, word) for word in ("read", "failed", "spared")}
        self._keys = families.keys.labels(game)
        self._seconds = families.seconds.labels(game)
        self._how = [families.players.labels(game, how) for how in ("cached", "stale", "unread")]
        self._unprocessed = families.unprocessed.labels(game)
        self._throttled = families.throttled.labels(game)

    def served(self, hits: int, stale: int, unread: int) -> None:
        """Counts the players of a cohort that came from the cache, were stale, or could not be read."""
        for counter, players in zip(self._how, (hits, stale, unread), strict=True):
            if players:
                counter.inc(players)

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None:
        """Records one read of the store for `keys` players; `failure` is its error, if any."""
        self._reads[_outcome(failure)].inc()
        self._keys.observe(keys)
        self._seconds.observe(seconds)

    def unprocessed(self, keys: int) -> None:
        """Counts keys that the store left unprocessed in a request."""
        self._unprocessed.inc(keys)

    def throttled(self) -> None:
        """Counts a request that the store throttled."""
        self._throttled.inc()


def _outcome(failure: MeshError | None) -> str:
    return "read" if failure is None else "spared" if isinstance(failure, Spared) else "failed"
