"""When the requests of an open-loop run are due: decided before the run, whatever the answers do."""

from __future__ import annotations

import numpy as np

from loadtest.simulated.service_times import Seconds


def poisson(rate_rps: float, seconds: float, seed: int) -> Seconds:
    """The arrivals of a Poisson process of `rate_rps` within `seconds`, ascending, from 0 on [arrivals].

    The same arguments give the same arrivals. Given their number they are independent and uniform
    (Cox & Lewis 1966, section 2.1), which is how they are drawn.
    """
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate_rps * seconds)))
