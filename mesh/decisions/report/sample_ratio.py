"""Sample-ratio mismatch: whether the players are divided among the arms as planned.

A mismatch means that players or records of an arm are missing, so that a difference between arms may be an artefact
(Fabijan et al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LIMIT = 0.001  # an alarm is raised below it: it must be rare, because it makes a report worthless
MIN_EXPECTED = 5.0  # players; with fewer, the chi-square distribution does not hold (Cochran 1952)
_MAX_UNPLANNED = 0.001  # part of the players in arms without a planned share: clocks differ at a step of a rollout

Counts = NDArray[np.float64]


class RatioTest(NamedTuple):
    """The result: `p` is None if there are too few players. `expected` [periods, arms] are players."""

    p: float | None
    expected: Counts

    @property
    def is_mismatch(self) -> bool:
        """Whether the division differs from the plan."""
        return self.p is not None and self.p < LIMIT


def against_plan(observed: Counts, shares: Counts) -> RatioTest:
    """Compares the players of each arm with the planned shares, by a chi-square test.

    `observed` [periods, arms] are the players who came first in a period, each counted once, so that the periods are
    independent; `shares` [periods, arms] are the planned shares in it (any unit).
    """
    expected = shares / shares.sum(axis=1, keepdims=True) * observed.sum(axis=1, keepdims=True)
    planned = shares > 0
    if observed[~planned].sum() > _MAX_UNPLANNED * observed.sum():
        return RatioTest(0.0, expected)
    kept = observed * planned
    expected = shares / shares.sum(axis=1, keepdims=True) * kept.sum(axis=1, keepdims=True)
    large = (np.where(planned, expected, np.inf).min(axis=1) >= MIN_EXPECTED) & (planned.sum(axis=1) > 1)
    return RatioTest(_p(kept[large], expected[large], int((planned[large].sum(axis=1) - 1).sum())), expected)


def over_time(observed: Counts) -> RatioTest:
    """Tests whether the division is the same in all periods, by the chi-square test of homogeneity.

    `observed` [periods, arms] are the players who came first in a period. Periods with few players count as one.
    """
    arms = observed[:, observed.sum(axis=0) > 0]
    merged = _merged(arms)
    whole = merged.sum()
    expected = np.outer(merged.sum(axis=1), merged.sum(axis=0)) / whole if whole else merged
    freedom = (merged.shape[0] - 1) * (merged.shape[1] - 1)
    return RatioTest(_p(merged, expected, freedom), expected)


def _p(observed: Counts, expected: Counts, freedom: int) -> float | None:
    if freedom < 1:
        return None
    used = expected > 0
    return float(stats.chi2.sf(((observed - expected)[used] ** 2 / expected[used]).sum(), freedom))


def _merged(observed: Counts) -> Counts:
    """Adds neighbouring periods until each has enough players for the test."""
    total = observed.sum()
    least = observed.sum(axis=0).min() / total if total else 0.0
    rows: list[Counts] = []
    pending = np.zeros(observed.shape[1])
    for row in observed:
        pending = pending + row
        if pending.sum() * least >= MIN_EXPECTED:
            rows.append(pending)
            pending = np.zeros(observed.shape[1])
    if rows:
        rows[-1] = rows[-1] + pending
    return np.array(rows or [pending])
