"""Quantiles of a histogram's buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence

Bucket = tuple[float, float]


def quantile(buckets: Sequence[Bucket], share: float) -> float | None:
    """The value below which `share` of the observations are; None without observations.

    `buckets` are pairs of upper bound and cumulative count, ascending, the last bound infinite. Linear within
    a bucket, and never above the last finite bound, as Prometheus' histogram_quantile() has it.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    below, lower = 0.0, 0.0
    for upper, count in buckets:
        if count >= share * total and count > below:
            if math.isinf(upper):
                return lower
            return lower + (upper - lower) * (share * total - below) / (count - below)
        below, lower = count, upper if math.isfinite(upper) else lower
    return lower
