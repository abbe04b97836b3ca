"""Intervals at 95 %: fixed ones for a single look, and always-valid ones for a look every day."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats

from mesh.decisions.report.ratios import Contrast, Ratio

ALPHA = 0.05
_Z = float(stats.norm.ppf(1 - ALPHA / 2))
PLAN_LOOKS = 14  # the always-valid interval is tightest after this many times the data of the first look
# Waudby-Smith et al. (below), appendix: the best ratio of the mixture's variance to that of the estimate.
_BEST = -2 * math.log(ALPHA) + math.log(1 - 2 * math.log(ALPHA))


class Interval(NamedTuple):
    """An estimate with its bounds."""

    value: float
    low: float
    high: float


def of_share(ratio: Ratio) -> Interval:
    """Returns the interval of a share of decisions, from 0 to 1.

    Wilson's interval (1927) with the effective number of decisions: the number of independent ones with the same
    variance (Kish 1965; Korn and Graubard 1998). Without any variance it is the number of players.
    """
    share = ratio.value
    spread = ratio.variance * (ratio.players - 1) / ratio.players
    number = share * (1 - share) / spread if spread > 0 else float(ratio.players)
    middle = (share + _Z**2 / (2 * number)) / (1 + _Z**2 / number)
    half = _Z / (1 + _Z**2 / number) * math.sqrt(share * (1 - share) / number + _Z**2 / (4 * number**2))
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def of_mean(ratio: Ratio) -> Interval:
    """Returns the interval of a mean per decision, by Student's t."""
    half = float(stats.t.ppf(1 - ALPHA / 2, ratio.players - 1)) * math.sqrt(ratio.variance)
    return Interval(ratio.value, ratio.value - half, ratio.value + half)


def of_difference(found: Contrast) -> Interval:
    """Returns the fixed interval of the difference, by Welch's t: it holds for one look, planned before."""
    half = float(stats.t.ppf(1 - ALPHA / 2, found.freedom)) * math.sqrt(found.variance)
    return Interval(found.difference, found.difference - half, found.difference + half)


def of_lift(found: Contrast) -> Interval | None:
    """Returns by how many percent the arm is above the baseline, by the delta method for the logarithm of the ratio.

    None if one of the two is not above 0.
    """
    arm, baseline = found.arm, found.baseline
    if arm.value <= 0 or baseline.value <= 0:
        return None
    relative = arm.variance / arm.value**2 + baseline.variance / baseline.value**2
    variance = max(0.0, relative - 2 * found.covariance / (arm.value * baseline.value))
    half = float(stats.t.ppf(1 - ALPHA / 2, found.freedom)) * math.sqrt(variance)
    ratio = arm.value / baseline.value
    return Interval(*(100 * (bound - 1) for bound in (ratio, ratio * math.exp(-half), ratio * math.exp(half))))


def mixture_variance(first: Contrast) -> float:
    """Returns the variance of the mixture of `always_valid` for an experiment whose first look is `first`.

    All looks of an experiment must use the same one. It makes the interval tightest at `PLAN_LOOKS` first looks.
    """
    return _BEST * first.variance / PLAN_LOOKS


def always_valid(found: Contrast, mixture: float) -> Interval:
    """Returns the always-valid interval of the difference: with 95 % probability *all* looks contain the true value.

    So you may look every day, and stop at any look. It is wider than the fixed interval. The asymptotic confidence
    sequence with a normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021, arXiv 2103.06476, which has
    Robbins' mixture for estimated variances; the same bound as the mSPRT of Johari, Pekelis, Walsh 2015, arXiv
    1512.04922). It holds in the limit of many players, as the fixed interval does.
    """
    variance = found.variance
    if variance <= 0 or mixture <= 0:
        return Interval(found.difference, -math.inf, math.inf)
    whole = variance + mixture
    half = math.sqrt(variance * whole / mixture * (math.log(whole / variance) - 2 * math.log(ALPHA)))
    return Interval(found.difference, found.difference - half, found.difference + half)
