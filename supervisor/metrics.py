"""The supervisor's Prometheus metrics (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mesh.telemetry import LATENCY_BUCKETS_S
from supervisor.answers import Answer, Timings
from supervisor.ensemble import Ensemble
from supervisor.feature_metrics import REQUEST_BUCKETS, FeatureFamilies, FeatureMetrics
from supervisor.game import Game

STAGES = ("queue", "features", "fan_out", "combine")
ROW_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096)
_VERSION = ("game", "version")


class Metrics:
    """All metrics of the supervisor, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._features = FeatureFamilies(registry)
        self.requests = Counter(
            "mesh_requests", "Answers by source and reason.", (*_VERSION, "source", "reason"), registry=registry
        )
        self.latency = Histogram(
            "mesh_request_seconds",
            "Time from the admission of a request to its answer.",
            _VERSION,
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.stages = Histogram(
            "mesh_stage_seconds",
            "Time of a request in each stage.",
            (*_VERSION, "stage"),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.cohort_requests = Histogram(
            "mesh_cohort_requests", "Requests in a cohort.", _VERSION, buckets=REQUEST_BUCKETS, registry=registry
        )
        self.cohort_rows = Histogram(
            "mesh_cohort_rows", "Rows in a cohort.", _VERSION, buckets=ROW_BUCKETS, registry=registry
        )
        self.misses = Counter(
            "mesh_model_misses", "Answers without a vote of the model.", (*_VERSION, "model"), registry=registry
        )
        self.loop_lag = Histogram(
            "mesh_loop_lag_seconds",
            "Delay of a timer on the event loop.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    def exposition(self) -> bytes:
        """Returns all metrics in the Prometheus text format."""
        return generate_latest(self.registry)

    def of(self, game: str, version: str) -> VersionMetrics:
        """Returns the metrics of one version of a game."""
        return VersionMetrics(self, game, version)

    def of_features(self, game: str) -> FeatureMetrics:
        """Returns the metrics of the feature store of one game."""
        return FeatureMetrics(self._features, game)


class VersionMetrics:
    """Records the answers and cohorts of one version."""

    def __init__(self, metrics: Metrics, game: str, version: str) -> None:
        labels = (game, version)
        self._labels = labels
        self._requests = metrics.requests
        self._misses = metrics.misses
        self._latency = metrics.latency.labels(*labels)
        self._stages = tuple(metrics.stages.labels(*labels, stage) for stage in STAGES)
        self._cohort_requests = metrics.cohort_requests.labels(*labels)
        self._cohort_rows = metrics.cohort_rows.labels(*labels)
        self._flawless = metrics.requests.labels(*labels, "ENSEMBLE", "none")  # an answer without a reason is ENSEMBLE

    def record_cohort(self, requests: int, rows: int) -> None:
        """Records a cohort that asks the panel."""
        self._cohort_requests.observe(requests)
        self._cohort_rows.observe(rows)

    def record_answer(self, answer: Answer, total_s: float) -> None:
        """Records an answer, `total_s` after the admission of its request."""
        if answer.reason is None:
            self._flawless.inc()
        else:
            self._requests.labels(*self._labels, answer.source.name, answer.reason.word).inc()
        for model, _ in answer.missing:
            self._misses.labels(*self._labels, model).inc()
        self._latency.observe(total_s)
        for stage, seconds in zip(self._stages, _stage_seconds(answer.timings), strict=True):
            stage.observe(seconds)


def _stage_seconds(times: Timings) -> tuple[float, ...]:
    return times.queue_s, times.features_s, times.fan_out_s, times.combine_s


class StateOnDemand(Collector):
    """Metrics of lanes, rows and cohorts, computed at each scrape: the hot path does not update them."""

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
        """Yields the current values. It runs on the metrics thread, so it and the functions that it calls only read."""
        yield GaugeMetricFamily("mesh_cohorts_under_way", "Cohorts under way.", self._under_way())
        yield GaugeMetricFamily(
            "mesh_starved_share", "Share of time that the busiest thread waits for a CPU, 0 to 1.", self._starved()
        )
        waiting = GaugeMetricFamily("mesh_requests_waiting", "Requests that wait for a cohort.", labels=_VERSION)
        rows_waiting = GaugeMetricFamily(
            "mesh_rows_waiting", "Rows that wait for a replica.", labels=(*_VERSION, "model")
        )
        rows_out = GaugeMetricFamily(
            "mesh_rows_outstanding", "Rows that replicas are scoring.", labels=(*_VERSION, "model")
        )
        lanes = GaugeMetricFamily("mesh_lanes", "Lanes by state.", labels=(*_VERSION, "model", "state"))
        out = GaugeMetricFamily(
            "mesh_lanes_out",
            "Lanes that receive no rows because their replica is late or failing.",
            labels=(*_VERSION, "model"),
        )
        second_tries = CounterMetricFamily(
            "mesh_second_try_rows", "Rows sent to a second replica, by cause.", labels=(*_VERSION, "model", "cause")
        )
        wins = CounterMetricFamily(
            "mesh_second_try_wins", "Second tries that were answered before the first.", labels=(*_VERSION, "model")
        )
        for labels, ensemble in self._ensembles():
            waiting.add_metric(labels, self._waiting(ensemble))
            for pool in ensemble.panel.pools:
                named = [*labels, pool.model.name]
                rows_waiting.add_metric(named, pool.waiting_rows)
                rows_out.add_metric(named, pool.outstanding_rows)
                states = [lane.state for lane in list(pool.lanes.values())]
                for state in ("up", "connecting", "down"):
                    lanes.add_metric([*named, state], states.count(state))
                out.add_metric(named, pool.lanes_out)
                second_tries.add_metric([*named, "overdue"], pool.hedged_rows)
                second_tries.add_metric([*named, "failed"], pool.retried_rows)
                wins.add_metric(named, pool.hedge_wins)
        yield from (waiting, rows_waiting, rows_out, lanes, out, second_tries, wins)

    def _ensembles(self) -> Iterator[tuple[list[str], Ensemble]]:
        for game in self._games.values():
            for ensemble in game.ensembles.values():
                yield [game.catalog.game, ensemble.name], ensemble
