"""Findings: how far live counts are from the reference, and whether the sample is large enough to say so.

The PSI (population stability index) of two distributions q and p is the sum of (q - p) ln(q / p) over their bins:
Jeffreys' divergence. The usual bounds are 0.1 for a small and 0.25 for a large change (Siddiqi, Credit Risk Scorecards,
2006). Without any drift, the PSI of n live and m training rows in B bins is not 0: n m / (n + m) times the PSI is about
chi-squared with B - 1 degrees of freedom (Yurdakul, Statistical Properties of the Population Stability Index, 2018). So
its mean, (B - 1) (1/n + 1/m), is subtracted. The remainder must also be `SIGMAS` deviations of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.drift.counts import FEATURE, Counts, Layout

MIN_SAMPLES = 500
MIN_PRESENT = 200  # for the figures of the present values: a feature may be missing in most rows
SIGMAS = 6.0  # of the noise of the PSI: its distribution has a long tail
PSI_BOUND = 0.2
SHARE_BOUND = 0.02  # of the share of missing values, and of unseen categories
SHIFT_BOUND = 0.5  # of the mean score, in standard deviations of the training
Z_BOUND = 5.0  # a difference of shares is certain from here on: chance gives it once in millions of looks
_SMOOTHING = 0.5  # added to each bin, so that an empty bin gives no infinite PSI (Krichevsky and Trofimov)

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """The drift of one feature, of the scores of one model, or of the disagreement of the models.

    `severity` is 1 or more if a bound is exceeded, and `cause` is the figure that is the nearest to its bound: `psi`,
    `missing`, `unseen` or `shift`. `missing` and `unseen` are live shares, and those with `_before` are the shares of
    the training. `psi` is None for fewer than `MIN_PRESENT` values. `shift` is the difference of the mean scores in
    standard deviations of the training, None for a feature.
    """

    kind: str
    name: str
    samples: int
    severity: float
    cause: str
    psi: float | None
    missing: float
    missing_before: float
    unseen: float
    unseen_before: float
    shift: float | None


def find(layout: Layout, counts: Counts) -> list[Finding]:
    """Returns the findings with at least `MIN_SAMPLES` samples, the most severe first."""
    starts = layout.starts[:-1]
    live, before = (one.astype(np.float64) for one in (counts.places, layout.reference_counts))
    missing, unseen = layout.starts[1:] - 2, layout.starts[1:] - 1
    present, present_before = (np.add.reduceat(one * layout.is_bin, starts) for one in (live, before))
    rows, rows_before = (np.add.reduceat(one, starts) for one in (live, before))
    with np.errstate(invalid="ignore", divide="ignore"):
        psi, noise = _corrected_psi(layout, live, before, present, present_before)
        shift = _shift(layout, counts, present)
        lost, lost_before = live[missing] / rows, before[missing] / rows_before
        new, new_before = live[unseen] / rows, before[unseen] / rows_before
        causes = {
            "psi": np.minimum(psi / PSI_BOUND, np.where(noise > 0, psi / (SIGMAS * noise), np.inf)),
            "missing": _severity(lost, lost_before, rows, rows_before),
            "unseen": np.where(new > new_before, _severity(new, new_before, rows, rows_before), 0.0),
            "shift": np.abs(shift) / SHIFT_BOUND,
        }
    severities = np.nan_to_num(np.array(list(causes.values())), nan=0.0, posinf=0.0)
    words, worst = tuple(causes), severities.argmax(axis=0)
    found = [
        Finding(
            *layout.keys[at],
            samples=int(rows[at]),
            severity=float(severities[worst[at], at]),
            cause=words[worst[at]],
            psi=_or_none(psi[at]),
            missing=float(lost[at]),
            missing_before=float(lost_before[at]),
            unseen=float(new[at]),
            unseen_before=float(new_before[at]),
            shift=_or_none(shift[at]),
        )
        for at in np.flatnonzero((rows >= MIN_SAMPLES) & (rows_before > 0)).tolist()
    ]
    return sorted(found, key=lambda one: -one.severity)


def raw_psi(live: Values, before: Values) -> float:
    """Returns the PSI of two counts of the same bins, without the correction."""
    return float(_terms(live, before, live.sum(), before.sum(), len(live)).sum())


def _terms(live: Values, before: Values, total: Values, total_before: Values, bins: Values | int) -> Values:
    share = (live + _SMOOTHING) / (total + _SMOOTHING * bins)
    share_before = (before + _SMOOTHING) / (total_before + _SMOOTHING * bins)
    result: Values = (share - share_before) * np.log(share / share_before)
    return result


def _corrected_psi(
    layout: Layout, live: Values, before: Values, present: Values, present_before: Values
) -> tuple[Values, Values]:
    """Returns the PSI of each distribution, without its mean, and the standard deviation of its noise."""
    starts, widths = layout.starts[:-1], np.diff(layout.starts)
    terms = _terms(
        live, before, np.repeat(present, widths), np.repeat(present_before, widths), np.repeat(widths - 2, widths)
    )
    total = np.add.reduceat(np.where(layout.is_bin, terms, 0.0), starts)
    freedom = np.maximum(np.add.reduceat(layout.is_bin & (before > 0), starts, dtype=np.int64) - 1, 0)
    scale = 1 / present + 1 / present_before
    corrected = np.maximum(total - freedom * scale, 0.0)
    is_enough = (present >= MIN_PRESENT) & (present_before > 0)
    return np.where(is_enough, corrected, np.nan), np.sqrt(2 * freedom) * scale


def _shift(layout: Layout, counts: Counts, present: Values) -> Values:
    moments = [(one.mean, one.deviation) for one in layout.distributions.values()]
    means, deviations = (np.array(values) for values in zip(*moments, strict=True))
    is_score = np.array([kind != FEATURE for kind, _ in layout.keys]) & (deviations > 0) & (present >= MIN_PRESENT)
    result: Values = np.where(is_score, (counts.sums / present - means) / deviations, np.nan)
    return result


def _severity(share: Values, before: Values, rows: Values, rows_before: Values) -> Values:
    """Returns how far two shares are apart: by their difference, and by its z-score with the pooled share."""
    pooled = (share * rows + before * rows_before) / (rows + rows_before)
    z = np.abs(share - before) / np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_before))
    result: Values = np.minimum(np.abs(share - before) / SHARE_BOUND, np.nan_to_num(z) / Z_BOUND)
    return result


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
