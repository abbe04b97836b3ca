"""The supervisor's Prometheus metrics (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as open_metrics

from mesh.telemetry import LATENCY_BUCKETS_S
from supervisor.answers import NO_TIMINGS, Answer, ReasonWord, Source, Timings
from supervisor.callers.metrics import CallerMetrics
from supervisor.feature_metrics import REQUEST_BUCKETS, FeatureFamilies, FeatureMetrics
from supervisor.outcomes.metrics import OutcomeMetrics
from supervisor.shadow.metrics import ShadowMetrics

STAGES = ("queue", "features", "fan_out", "combine")
ROW_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096)
_VERSION = ("game", "version")


class Metrics:
    """All metrics of the supervisor, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._features = FeatureFamilies(registry)
        self.outcomes = OutcomeMetrics(registry)
        self.callers = CallerMetrics(registry)
        self.shadows = ShadowMetrics()
        registry.register(self.shadows)
        self.requests = Counter(
            "mesh_requests", "Answers by source and reason.", (*_VERSION, "source", "reason"), registry=registry
        )
        self.latency = self._histogram(
            "mesh_request_seconds", "Time from the admission of a request to its answer.", LATENCY_BUCKETS_S
        )
        self.stages = self._histogram(
            "mesh_stage_seconds", "Time of a request in each stage.", LATENCY_BUCKETS_S, "stage"
        )
        self.cohort_requests = self._histogram("mesh_cohort_requests", "Requests in a cohort.", REQUEST_BUCKETS)
        self.cohort_rows = self._histogram("mesh_cohort_rows", "Rows in a cohort.", ROW_BUCKETS)
        self.misses = Counter(
            "mesh_model_misses", "Answers without a vote of the model.", (*_VERSION, "model"), registry=registry
        )
        self.refused_calls = Counter(
            "mesh_calls_refused", "Calls refused before their request was read, for lack of CPU.", registry=registry
        )
        self.clock_ahead = Counter(
            "mesh_feature_clock_ahead",
            "Answers with features from a clock that is ahead of the supervisor's.",
            _VERSION,
            registry=registry,
        )
        self.explored = Counter(
            "mesh_explored", "Answers whose first offer was drawn by `explore`.", _VERSION, registry=registry
        )
        self.loop_lag = Histogram(
            "mesh_loop_lag_seconds",
            "Delay of a timer on the event loop.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """A histogram by game, version and `labels`."""
        return Histogram(name, text, (*_VERSION, *labels), buckets=buckets, registry=self.registry)

    def exposition(self) -> bytes:
        """Returns all metrics in the Prometheus text format."""
        return generate_latest(self.registry)

    def open_metrics(self) -> bytes:
        """Returns all metrics in the OpenMetrics text format, which has exemplars."""
        page: bytes = open_metrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return page

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
        self._clock_ahead = metrics.clock_ahead.labels(*labels)
        self._explored = metrics.explored.labels(*labels)
        self._cohort_requests = metrics.cohort_requests.labels(*labels)
        self._cohort_rows = metrics.cohort_rows.labels(*labels)
        self._counters: dict[tuple[Source, ReasonWord | None], Counter] = {}

    def record_cohort(self, requests: int, rows: int) -> None:
        """Records a cohort that asks the panel."""
        self._cohort_requests.observe(requests)
        self._cohort_rows.observe(rows)

    def record_answer(self, answer: Answer, total_s: float, trace_id: str = "") -> None:
        """Records an answer, `total_s` after the admission of its request. `trace_id` is that of a kept trace."""
        self._counter(answer).inc()
        for model, _ in answer.missing:
            self._misses.labels(*self._labels, model).inc()
        if answer.features_age_s is not None and answer.features_age_s < 0:
            self._clock_ahead.inc()
        if answer.explored:
            self._explored.inc()
        exemplar = {"trace_id": trace_id} if trace_id else None
        self._latency.observe(total_s, exemplar)
        if answer.timings == NO_TIMINGS:  # a refused request reached no stage
            return
        for stage, seconds in zip(self._stages, _stage_seconds(answer.timings), strict=True):
            stage.observe(seconds, exemplar)

    def _counter(self, answer: Answer) -> Counter:
        """Returns the counter of answers like `answer`. To find it by its labels takes 7 us."""
        kind = (answer.source, answer.reason.word if answer.reason else None)
        counter = self._counters.get(kind)
        if counter is None:  # an answer without a reason is ENSEMBLE
            counter = self._requests.labels(*self._labels, answer.source.name, kind[1] or "none")
            self._counters[kind] = counter
        return counter


def _stage_seconds(times: Timings) -> tuple[float, ...]:
    return times.queue_s, times.features_s, times.fan_out_s, times.combine_s
