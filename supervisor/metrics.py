"""What the supervisor tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mesh.errors import MeshError
from mesh.telemetry import LATENCY_BUCKETS_S
from supervisor.answer import Answer, Timings
from supervisor.ensemble import Ensemble
from supervisor.features.breaker import Spared
from supervisor.game import Game

STAGES = ("queue", "features", "fan_out", "combine")
COHORT_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
ROW_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096)
_VERSION = ("game", "version")


class Metrics:
    """The supervisor's metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "mesh_requests", "Answers, by where they come from.", (*_VERSION, "source", "reason"), registry=registry
        )
        self.latency = Histogram(
            "mesh_request_seconds", "From admission to answer.", _VERSION, buckets=LATENCY_BUCKETS_S, registry=registry
        )
        self.stages = Histogram(
            "mesh_stage_seconds",
            "A request's time in each stage.",
            (*_VERSION, "stage"),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.cohort_requests = Histogram(
            "mesh_cohort_requests", "Requests in a cohort.", _VERSION, buckets=COHORT_BUCKETS, registry=registry
        )
        self.cohort_rows = Histogram(
            "mesh_cohort_rows", "Rows in a cohort.", _VERSION, buckets=ROW_BUCKETS, registry=registry
        )
        self.misses = Counter(
            "mesh_model_misses", "Answers that a model's vote is missing from.", (*_VERSION, "model"), registry=registry
        )
        self.feature_reads = Counter(
            "mesh_feature_reads", "Reads of the feature store.", ("game", "outcome"), registry=registry
        )
        self.feature_keys = Histogram(
            "mesh_feature_read_keys", "Players in a read.", ("game",), buckets=COHORT_BUCKETS, registry=registry
        )
        self.feature_seconds = Histogram(
            "mesh_feature_read_seconds", "Time of a read.", ("game",), buckets=LATENCY_BUCKETS_S, registry=registry
        )
        self.feature_players = Counter(
            "mesh_feature_players", "Players not read anew, by how they were had.", ("game", "how"), registry=registry
        )
        self.feature_unprocessed = Counter(
            "mesh_feature_unprocessed", "Keys that a request did not get to.", ("game",), registry=registry
        )
        self.feature_throttled = Counter(
            "mesh_feature_throttled", "Requests refused as too many.", ("game",), registry=registry
        )
        self.loop_lag = Histogram(
            "mesh_loop_lag_seconds",
            "How late the event loop comes to a timer.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def of(self, game: str, version: str) -> VersionMetrics:
        """The metrics of one version, its labels bound."""
        return VersionMetrics(self, game, version)

    def of_features(self, game: str) -> FeatureMetrics:
        """The metrics of one game's feature store."""
        return FeatureMetrics(self, game)


class FeatureMetrics:
    """Takes down how one game's players were read."""

    def __init__(self, metrics: Metrics, game: str) -> None:
        self._reads = {word: metrics.feature_reads.labels(game, word) for word in ("read", "failed", "spared")}
        self._keys = metrics.feature_keys.labels(game)
        self._seconds = metrics.feature_seconds.labels(game)
        self._how = [metrics.feature_players.labels(game, how) for how in ("cached", "stale", "unread")]
        self._unprocessed = metrics.feature_unprocessed.labels(game)
        self._throttled = metrics.feature_throttled.labels(game)

    def served(self, hits: int, stale: int, unread: int) -> None:
        """Players of a cohort came from the cache, were older than they should be, or could not be read."""
        for counter, players in zip(self._how, (hits, stale, unread), strict=True):
            if players:
                counter.inc(players)

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None:
        """The store was asked for players."""
        self._reads[_outcome(failure)].inc()
        self._keys.observe(keys)
        self._seconds.observe(seconds)

    def unprocessed(self, keys: int) -> None:
        """A request did not get to some keys."""
        self._unprocessed.inc(keys)

    def throttled(self) -> None:
        """A request was refused as one too many."""
        self._throttled.inc()


def _outcome(failure: MeshError | None) -> str:
    return "read" if failure is None else "spared" if isinstance(failure, Spared) else "failed"


class VersionMetrics:
    """Takes down one version's answers and cohorts."""

    def __init__(self, metrics: Metrics, game: str, version: str) -> None:
        labels = (game, version)
        self._labels = labels
        self._requests = metrics.requests
        self._misses = metrics.misses
        self._latency = metrics.latency.labels(*labels)
        self._stages = tuple(metrics.stages.labels(*labels, stage) for stage in STAGES)
        self._cohort_requests = metrics.cohort_requests.labels(*labels)
        self._cohort_rows = metrics.cohort_rows.labels(*labels)
        self._whole = metrics.requests.labels(*labels, "ENSEMBLE", "none")

    def cohort(self, requests: int, rows: int) -> None:
        """A cohort is on its way to the panel."""
        self._cohort_requests.observe(requests)
        self._cohort_rows.observe(rows)

    def answered(self, answer: Answer) -> None:
        """A request was answered."""
        if answer.reason is None:
            self._whole.inc()
        else:
            self._requests.labels(*self._labels, answer.source.name, answer.reason.word).inc()
        for model, _ in answer.missing:
            self._misses.labels(*self._labels, model).inc()
        self._latency.observe(answer.timings.total_s)
        for stage, seconds in zip(self._stages, _stage_seconds(answer.timings), strict=True):
            stage.observe(seconds)


def _stage_seconds(times: Timings) -> tuple[float, ...]:
    return times.queue_s, times.features_s, times.fan_out_s, times.combine_s


class StateOnDemand(Collector):
    """Lanes, rows and cohorts, read when Prometheus asks: to keep gauges would cost the hot path an update each."""

    def __init__(
        self,
        games: Mapping[str, Game],
        under_way: Callable[[], int],
        waiting: Callable[[Ensemble], int],
        starved: Callable[[], float],
    ) -> None:
        self._games = games
        self._under_way = under_way
        self._waiting = waiting
        self._starved = starved

    def collect(self) -> Iterable[Metric]:
        """The gauges as they are now (called on the metrics thread: reads, never writes)."""
        yield GaugeMetricFamily("mesh_cohorts_under_way", "Cohorts on their journey.", self._under_way())
        yield GaugeMetricFamily(
            "mesh_starved_share", "Share of its time that a thread waits for a CPU.", self._starved()
        )
        waiting = GaugeMetricFamily("mesh_requests_waiting", "Requests that wait for a cohort.", labels=_VERSION)
        rows_waiting = GaugeMetricFamily(
            "mesh_rows_waiting", "Rows that wait for a replica.", labels=(*_VERSION, "model")
        )
        rows_out = GaugeMetricFamily(
            "mesh_rows_outstanding", "Rows that replicas work on.", labels=(*_VERSION, "model")
        )
        lanes = GaugeMetricFamily("mesh_lanes", "Lanes by state.", labels=(*_VERSION, "model", "state"))
        for labels, ensemble in self._ensembles():
            waiting.add_metric(labels, self._waiting(ensemble))
            for pool in ensemble.panel.pools:
                named = [*labels, pool.model.name]
                rows_waiting.add_metric(named, pool.waiting_rows)
                rows_out.add_metric(named, pool.outstanding_rows)
                states = [lane.state for lane in list(pool.lanes.values())]
                for state in ("up", "connecting", "down"):
                    lanes.add_metric([*named, state], states.count(state))
        yield from (waiting, rows_waiting, rows_out, lanes)

    def _ensembles(self) -> Iterator[tuple[list[str], Ensemble]]:
        for game in self._games.values():
            for ensemble in game.ensembles.values():
                yield [game.catalog.game, ensemble.name], ensemble
