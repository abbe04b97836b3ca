"""The disagreement of the models of a version: how far apart their scores for the same row are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesh.drift.reference import Distribution

Numbers = NDArray[np.float64]


def disagreement_of(votes: Numbers, distributions: Sequence[Distribution]) -> Numbers:
    """Returns the standard deviation of the models' standardised scores for each row of `votes` [rows, models].

    A score counts in deviations of its model from the model's mean in the training, `distributions` [models], so models
    of different scales are comparable. Models with a constant score do not count. NaN for a row without all votes.
    """
    moving = np.array([one.deviation > 0 for one in distributions], bool)
    if moving.sum() < 2:
        return np.full(len(votes), np.nan)
    means, deviations = (np.array(values)[moving] for values in zip(*map(_moments, distributions), strict=True))
    result: Numbers = ((votes[:, moving] - means) / deviations).std(axis=1)
    return result


def _moments(one: Distribution) -> tuple[float, float]:
    return one.mean, one.deviation
