"""Histograms of times with buckets that are 5 % wide."""

from __future__ import annotations

import math
from collections import Counter

FLOOR_MS, GROWTH, BUCKETS = 0.01, 1.05, 360  # up to 400 s


def bucket_of(value_ms: float) -> int:
    """The bucket of a time; each bucket is 5 % wide."""
    if value_ms <= FLOOR_MS:
        return 0
    return min(BUCKETS, 1 + math.floor(math.log(value_ms / FLOOR_MS, GROWTH)))


def value_of(bucket: int) -> float:
    """The middle of a bucket in ms, with three significant digits."""
    return float(f"{FLOOR_MS * GROWTH ** (bucket - 0.5):.3g}") if bucket else 0.0


def bucket_at(counts: Counter[int], percent: float) -> int:
    """The bucket of a percentile; needs at least one count."""
    wanted, seen = counts.total() * percent / 100, 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen > wanted:
            return bucket
    return max(counts)
