"""Ratios per decision, and their differences between arms, with variances that hold for correlated decisions.

Players are assigned at random, not decisions, and the decisions of one player resemble each other. So the variance is
that of a sum over players (clusters): the delta method for a ratio metric (Deng, Knoblich, Lu 2018, "Applying the Delta
Method in Metric Analytics", arXiv 1803.06336), written with the influence of each player on the ratio.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Cells(NamedTuple):
    """Sums of one metric: a row for each combination of player, arm and stratum that occurs; all arrays are [rows].

    `decisions` is the number of decisions, `total` the sum of the metric over them.
    """

    player: Codes
    arm: Codes
    stratum: Codes
    decisions: Floats
    total: Floats

    def where(self, chosen: NDArray[np.bool_]) -> Cells:
        """Returns the rows that are chosen [rows]."""
        player, arm, stratum = self.player[chosen], self.arm[chosen], self.stratum[chosen]
        return Cells(player, arm, stratum, self.decisions[chosen], self.total[chosen])


class Ratio(NamedTuple):
    """The mean of a metric per decision of an arm, its variance, and the number of players and decisions."""

    value: float
    variance: float
    players: int
    decisions: float


class Contrast(NamedTuple):
    """The ratios of an arm and of the baseline, over the same strata, and the covariance of the two."""

    arm: Ratio
    baseline: Ratio
    covariance: float

    @property
    def difference(self) -> float:
        """The arm minus the baseline."""
        return self.arm.value - self.baseline.value

    @property
    def variance(self) -> float:
        """The variance of the difference."""
        return max(0.0, self.arm.variance + self.baseline.variance - 2 * self.covariance)

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the difference (Welch 1947; Satterthwaite 1946)."""
        parts = [(one.variance, one.players - 1) for one in (self.arm, self.baseline)]
        below = sum(variance**2 / freedom for variance, freedom in parts)
        return sum(variance for variance, _ in parts) ** 2 / below if below > 0 else 1.0


def ratio_of(cells: Cells, arm: int) -> Ratio | None:
    """Returns the ratio of an arm over all its decisions; None with fewer than 2 players."""
    chosen = cells.where(cells.arm == arm)
    found = _estimate(chosen._replace(stratum=np.zeros(len(chosen.arm), np.int64)), np.ones(1))
    return found[0] if found is not None else None


def contrast(cells: Cells, arm: int, baseline: int) -> Contrast | None:
    """Compares two arms within each stratum, and weighs the strata by n1 n2 / (n1 + n2) decisions (Cochran 1954).

    Strata that lack one of the arms have no weight. None if an arm has fewer than 2 players in the remaining strata.
    """
    strata = int(cells.stratum.max()) + 1 if len(cells.stratum) else 1
    sides = [cells.where(cells.arm == one) for one in (arm, baseline)]
    counts = [np.bincount(side.stratum, side.decisions, strata) for side in sides]
    weights = np.divide(counts[0] * counts[1], counts[0] + counts[1], out=np.zeros(strata), where=counts[0] > 0)
    if not weights.any():
        return None
    first, second = (_estimate(side, weights / weights.sum()) for side in sides)
    if first is None or second is None:
        return None
    common = min(len(first[1]), len(second[1]))
    return Contrast(first[0], second[0], float(first[1][:common] @ second[1][:common]))


def _estimate(cells: Cells, weights: Floats) -> tuple[Ratio, Floats] | None:
    """Returns the weighted mean of the ratios of the strata, and the influence of each player on it."""
    cells = cells.where(weights[cells.stratum] > 0)
    counts = np.bincount(cells.stratum, cells.decisions, len(weights))
    totals = np.bincount(cells.stratum, cells.total, len(weights))
    used = counts > 0
    ratios = np.divide(totals, counts, out=np.zeros(len(weights)), where=used)
    scale = np.divide(weights, counts, out=np.zeros(len(weights)), where=used)
    of_row = scale[cells.stratum] * (cells.total - ratios[cells.stratum] * cells.decisions)
    players = int(np.count_nonzero(np.bincount(cells.player)))
    if players < 2:
        return None
    influence = np.bincount(cells.player, of_row) * np.sqrt(players / (players - 1))  # without bias, as s^2
    return Ratio(float(ratios @ weights), float(influence @ influence), players, float(counts.sum())), influence
