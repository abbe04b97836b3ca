"""The time that a simulated model takes for one row, for the simulated replicas and for the limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


class ServiceTimes(Protocol):
    """A distribution of the seconds for one row."""

    @property
    def mean_s(self) -> float:
        """The mean in seconds."""
        ...

    def draw(self, rng: np.random.Generator, rows: int) -> Seconds:
        """Independent seconds for `rows` rows [rows]."""
        ...


@dataclass(frozen=True, slots=True)
class Lognormal:
    """exp(N(ln `median_s`, `sigma`)): the median is `median_s`, the mean is slightly larger."""

    median_s: float
    sigma: float

    @property
    def mean_s(self) -> float:
        """The mean in seconds."""
        return self.median_s * math.exp(self.sigma**2 / 2)

    def draw(self, rng: np.random.Generator, rows: int) -> Seconds:
        """Independent seconds for `rows` rows [rows]."""
        return rng.lognormal(math.log(self.median_s), self.sigma, rows)
