"""Quantiles of Prometheus histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence

Bucket = tuple[float, float]


def quantile(buckets: Sequence[Bucket], share: float) -> float | None:
    """Returns the value below which `share` of the observations are; None if there are no observations.

    `buckets` are pairs of upper bound and cumulative count, ascending; the last bound is infinite. As in Prometheus'
    histogram_quantile(), the result is interpolated linearly within a bucket and is at most the last finite bound. In
    the first bucket it is between 0 and its bound, or the bound itself if that is negative.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    below, lower = 0.0, min(0.0, buckets[0][0])
    for upper, count in buckets:
        if count >= share * total and count > below:
            if math.isinf(upper):
                return lower
            return lower + (upper - lower) * (share * total - below) / (count - below)
        below, lower = count, upper if math.isfinite(upper) else lower
    return lower
