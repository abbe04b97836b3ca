"""The Prometheus metrics of shadows, by the version that answered and its shadow (docs/metrics.md)."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mesh.telemetry import LATENCY_BUCKETS_S
from supervisor.shadow.comparison import Distribution

LABELS = ("game", "version", "shadow")
LIVE, SHADOW = "live", "shadow"
SIDES = (LIVE, SHADOW)
CORRELATION_EDGES = (-0.5, 0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)
_FINE = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)  # ten steps a decade: scores are mostly probabilities
_COARSE = (1.0, 2.0, 5.0)


def _decades(steps: Iterable[float], first: int, last: int) -> list[float]:
    """The edges from 10**first to below 10**last."""
    return [float(f"{step}e{decade}") for decade in range(first, last) for step in steps]


SCORE_EDGES = (
    *(-edge for edge in reversed(_decades(_COARSE, -3, 4))),
    0.0,
    *_decades(_FINE, -4, 0),
    *_decades(_COARSE, 0, 4),
)
Labels: TypeAlias = tuple[str, str, str]


class Outcome(enum.StrEnum):
    """The outcome of a sampled request."""

    COMPARED = "compared"
    NO_QUORUM = "no-quorum"  # the shadow had too few votes
    QUEUE_FULL = "queue-full"  # dropped: too many samples wait
    EXPIRED = "expired"  # dropped: the sample waited too long for an idle moment
    FAILED = "failed"  # dropped: a bug, which the log describes
    REPLACED = "replaced"  # dropped: a new catalog came into force


class PairMetrics:
    """The figures of one version and one shadow. Written on the event loop, read by the metrics thread."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter(dict.fromkeys(Outcome, 0))
        self.ranked = 0  # compared requests with two or more candidates
        self.same_best = 0
        self.correlations = Distribution(CORRELATION_EDGES)
        self.scores = {side: Distribution(SCORE_EDGES) for side in SIDES}
        self.differences = Distribution(SCORE_EDGES)
        self.absolute_difference = 0.0
        self.seconds = {side: Distribution(LATENCY_BUCKETS_S) for side in SIDES}
        self.partial: Counter[str] = Counter(dict.fromkeys(SIDES, 0))
        self.misses: Counter[str] = Counter()  # by model of the shadow

    def count(self, outcome: Outcome, requests: int = 1) -> None:
        """Counts `requests` with this outcome."""
        self.outcomes[outcome] += requests


class ShadowMetrics(Collector):
    """The metrics of all pairs. A pair keeps its figures when the catalog changes."""

    def __init__(self) -> None:
        self._pairs: dict[Labels, PairMetrics] = {}

    def of(self, game: str, version: str, shadow: str, models: Sequence[str]) -> PairMetrics:
        """Returns the metrics of one version and one shadow of it, which asks `models`."""
        pair = self._pairs.setdefault((game, version, shadow), PairMetrics())
        pair.misses.update(dict.fromkeys(models, 0))
        return pair

    def collect(self) -> Iterator[Metric]:
        """Yields the current values."""
        pairs = dict(self._pairs)
        if not pairs:
            return
        yield _counter(
            "requests", "Sampled requests by outcome.", pairs, "outcome", lambda pair: dict(pair.outcomes.items())
        )
        yield _counter(
            "ranked", "Compared requests with two or more candidates.", pairs, None, lambda pair: {"": pair.ranked}
        )
        yield _counter(
            "same_best",
            "Compared requests with the same best candidate.",
            pairs,
            None,
            lambda pair: {"": pair.same_best},
        )
        yield _counter("partial", "Compared requests with missing votes.", pairs, "of", lambda pair: dict(pair.partial))
        yield _counter(
            "misses", "Sampled requests without a vote of the model.", pairs, "model", lambda pair: dict(pair.misses)
        )
        yield _counter(
            "score_difference_absolute",
            "Sum of the absolute differences of the scores.",
            pairs,
            None,
            lambda pair: {"": pair.absolute_difference},
        )
        yield from _distributions(pairs)


def _distributions(pairs: Mapping[Labels, PairMetrics]) -> Iterator[Metric]:
    yield _histogram("scores", "Scores of the compared requests.", pairs, "of", lambda pair: pair.scores)
    yield _histogram(
        "score_difference",
        "Score of the shadow minus score of the answer.",
        pairs,
        None,
        lambda pair: {"": pair.differences},
    )
    yield _histogram(
        "rank_correlation",
        "Spearman's correlation of the two orders of the candidates, by request.",
        pairs,
        None,
        lambda pair: {"": pair.correlations},
    )
    yield _histogram(
        "seconds", "Time in which the panels voted for the compared requests.", pairs, "of", lambda pair: pair.seconds
    )


def _counter(
    name: str,
    text: str,
    pairs: Mapping[Labels, PairMetrics],
    label: str | None,
    values: Callable[[PairMetrics], Mapping[str, float]],
) -> Metric:
    family = CounterMetricFamily(f"mesh_shadow_{name}", text, labels=(*LABELS, *([label] if label else [])))
    for labels, pair in pairs.items():
        for value, count in values(pair).items():
            family.add_metric((*labels, *([value] if label else [])), count)
    return family


def _histogram(
    name: str,
    text: str,
    pairs: Mapping[Labels, PairMetrics],
    label: str | None,
    values: Callable[[PairMetrics], Mapping[str, Distribution]],
) -> Metric:
    names = (*LABELS, *([label] if label else []))
    family = HistogramMetricFamily(f"mesh_shadow_{name}", text, labels=names)
    for labels, pair in pairs.items():
        for value, one in values(pair).items():
            named = dict(zip(names, (*labels, value), strict=False))
            edges = ["+Inf" if edge == math.inf else str(edge) for edge in (*one.edges, math.inf)]
            cumulative = one.counts.cumsum().tolist()
            # Not by `add_metric`: it leaves out the sum and the count if an edge is negative. Go's client has them.
            for edge, count in zip(edges, cumulative, strict=True):
                family.add_sample(f"{family.name}_bucket", {**named, "le": edge}, count)
            family.add_sample(f"{family.name}_count", named, cumulative[-1])
            family.add_sample(f"{family.name}_sum", named, one.total)
    return family
