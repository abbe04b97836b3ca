"""Simulated experiments with known truth, as cells: players with several correlated decisions and heavy tails."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mesh.decisions.report.ratios import Cells, Floats


class Truth(NamedTuple):
    """The conversions of the baseline (arm 0) and the other arm, and the sigma of the log-normal values."""

    conversions: tuple[float, float] = (0.06, 0.06)
    players: int = 1000
    looks: int = 1
    per_look: float = 4.0
    spread: float = 1.0
    heavy: float = 1.0

    def mean_value(self) -> float:
        return float(np.exp(self.heavy**2 / 2))


def experiment(random: np.random.Generator, truth: Truth) -> tuple[Cells, Floats]:
    """Returns the purchases of each player at each look (its stratum), and the revenue of the same rows.

    Each player has an own factor of the conversion, with the mean 1 and the standard deviation `spread`, and an own
    number of decisions.
    """
    count = truth.players
    factor = random.gamma(1 / truth.spread**2, truth.spread**2, count)
    activity = 0.5 + random.random(count)
    arm = random.integers(0, 2, count)
    shape = (count, truth.looks)
    decisions = random.poisson((truth.per_look * activity)[:, None], shape)
    chance = np.clip(np.array(truth.conversions)[arm] * factor, 0, 1)
    bought = random.binomial(decisions, chance[:, None])
    rows = decisions > 0
    player = np.broadcast_to(np.arange(count)[:, None], shape)[rows]
    look = np.broadcast_to(np.arange(truth.looks), shape)[rows]
    buys = bought[rows]
    values = np.exp(random.normal(0, truth.heavy, buys.sum()))
    revenue = np.bincount(np.repeat(np.arange(len(buys)), buys), values, len(buys)).astype(np.float64)
    return Cells(player, arm[player], look, decisions[rows].astype(float), buys.astype(float)), revenue


def without_strata(cells: Cells) -> Cells:
    return cells._replace(stratum=np.zeros_like(cells.stratum))
