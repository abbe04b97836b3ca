"""The comparison of a version and its shadow, computed from the supervisors' metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.cli.metrics_page import Page
from mesh.cli.status.interval import Interval
from mesh.cli.status.quantiles import Bucket, quantile

SHARES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
SIDES = ("live", "shadow")
DROPPED = ("queue-full", "expired", "replaced")


@dataclass(frozen=True, slots=True)
class Side:
    """The figures of one side: its scores (mean and quantiles), and the votes for the compared requests.

    `partial` is the share of the requests with missing votes. Figures are None without observations.
    """

    score_mean: float | None
    score_quantiles: Mapping[str, float | None]
    partial: float | None
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The requests of `version` that `shadow` scored, too.

    `outcomes` counts the sampled requests. `ranked` of them had two or more candidates; `same_best` is the share of
    these with the same best candidate. `score_distance` is the largest difference of the two cumulative distributions
    (Kolmogorov-Smirnov) at the edges of the histogram. `missing` has the share of the sampled requests without the vote
    of a model, for models of the shadow that missed any. Figures are None without observations.
    """

    game: str
    version: str
    shadow: str
    outcomes: Mapping[str, int]
    ranked: int
    same_best: float | None
    rank_correlation: float | None
    rank_correlation_p10: float | None
    score_distance: float | None
    difference_mean: float | None
    difference_absolute: float | None
    difference_quantiles: Mapping[str, float | None]
    missing: Mapping[str, float]
    sides: Mapping[str, Side]

    @property
    def compared(self) -> int:
        """The number of compared requests."""
        return self.outcomes.get("compared", 0)


def merged(pages: Sequence[Page]) -> Page:
    """Returns the samples of the pages of several supervisors as one page; its totals are their sums."""
    names = {name for page in pages for name in page.samples}
    return Page({name: [one for page in pages for one in page.samples.get(name, ())] for name in names})


def compare(interval: Interval, game: str, version: str, shadow: str) -> Comparison:
    """Returns the comparison of the requests in `interval`."""
    pair = {"game": game, "version": version, "shadow": shadow}
    samples = list(interval.after.find("mesh_shadow_requests_total", **pair))
    names = dict.fromkeys(sample.labels["outcome"] for sample in samples)
    outcomes = {one: round(interval.increase("mesh_shadow_requests_total", outcome=one, **pair)) for one in names}
    ranked = interval.increase("mesh_shadow_ranked_total", **pair)
    correlations = interval.buckets("mesh_shadow_rank_correlation", **pair)
    differences = interval.buckets("mesh_shadow_score_difference", **pair)
    scored = interval.increase("mesh_shadow_score_difference_count", **pair)
    return Comparison(
        **pair,
        outcomes=outcomes,
        ranked=round(ranked),
        same_best=_share(interval.increase("mesh_shadow_same_best_total", **pair), ranked),
        rank_correlation=_mean(interval, "mesh_shadow_rank_correlation", pair),
        rank_correlation_p10=quantile(correlations, 0.1),
        score_distance=_distance(*(interval.buckets("mesh_shadow_scores", of=side, **pair) for side in SIDES)),
        difference_mean=_mean(interval, "mesh_shadow_score_difference", pair),
        difference_absolute=_share(interval.increase("mesh_shadow_score_difference_absolute_total", **pair), scored),
        difference_quantiles=_quantiles(differences),
        missing=_missing(interval, pair, outcomes),
        sides={side: _side(interval, pair, side, outcomes.get("compared", 0)) for side in SIDES},
    )


def _side(interval: Interval, pair: Mapping[str, str], side: str, compared: int) -> Side:
    named = {**pair, "of": side}
    seconds = interval.buckets("mesh_shadow_seconds", **named)
    return Side(
        score_mean=_mean(interval, "mesh_shadow_scores", named),
        score_quantiles=_quantiles(interval.buckets("mesh_shadow_scores", **named)),
        partial=_share(interval.increase("mesh_shadow_partial_total", **named), compared),
        p50_ms=_in_ms(quantile(seconds, 0.5)),
        p99_ms=_in_ms(quantile(seconds, 0.99)),
    )


def _missing(interval: Interval, pair: Mapping[str, str], outcomes: Mapping[str, int]) -> dict[str, float]:
    asked = outcomes.get("compared", 0) + outcomes.get("no-quorum", 0)
    models = dict.fromkeys(one.labels["model"] for one in interval.after.find("mesh_shadow_misses_total", **pair))
    misses = {model: interval.increase("mesh_shadow_misses_total", model=model, **pair) for model in models}
    return {model: count / asked for model, count in misses.items() if count and asked}


def _mean(interval: Interval, histogram: str, labels: Mapping[str, str]) -> float | None:
    """The mean of a histogram of values that may be negative, so that its sum may decrease."""
    count = interval.increase(f"{histogram}_count", **labels)
    total = interval.after.total(f"{histogram}_sum", **labels)
    if interval.after.total(f"{histogram}_count", **labels) >= interval.before.total(f"{histogram}_count", **labels):
        total -= interval.before.total(f"{histogram}_sum", **labels)
    return total / count if count else None


def _quantiles(buckets: Sequence[Bucket]) -> dict[str, float | None]:
    return {name: quantile(buckets, share) for name, share in SHARES.items()}


def _distance(first: Sequence[Bucket], second: Sequence[Bucket]) -> float | None:
    if not first or not second or not first[-1][1] or not second[-1][1]:
        return None
    return max(
        abs(one / first[-1][1] - other / second[-1][1]) for (_, one), (_, other) in zip(first, second, strict=True)
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
