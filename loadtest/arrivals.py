"""When the requests of an open-loop run are due: decided before the run, whatever the answers do."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from loadtest.faults import CannotMeasure
from loadtest.simulated.service_times import Seconds


def poisson(rate_rps: float, seconds: float, seed: int) -> Seconds:
    """The arrivals of a Poisson process of `rate_rps` within `seconds`, ascending, from 0 on [arrivals].

    The same arguments give the same arrivals. Given their number they are independent and uniform
    (Cox & Lewis 1966, section 2.1), which is how they are drawn.
    """
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate_rps * seconds)))


def constant(rate_rps: float, seconds: float) -> Seconds:
    """One arrival every 1 / `rate_rps` seconds within `seconds`, from 0 on [arrivals]."""
    return np.arange(math.ceil(rate_rps * seconds - 1e-9)) / rate_rps


def read_trace(path: Path) -> Seconds:
    """The arrivals in a file, moved so that the first is at 0 [arrivals].

    One a line: seconds, ascending, in the first column of what may be a CSV; a header, blank lines and lines that
    begin with `#` are passed over. Raises CannotMeasure, naming the line, when it is anything else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotMeasure(f"{path}: the trace cannot be read: {error}") from error
    moments_s: list[float] = []
    for number, line in enumerate(lines, 1):
        cell = line.split(",")[0].strip()
        if not cell or cell.startswith("#") or (number == 1 and not _is_number(cell)):
            continue
        if not _is_number(cell):
            raise CannotMeasure(f"{path}:{number}: {cell!r} is no number of seconds")
        if moments_s and float(cell) < moments_s[-1]:
            raise CannotMeasure(f"{path}:{number}: {cell} comes before {moments_s[-1]:g}; sort the trace")
        moments_s.append(float(cell))
    if not moments_s:
        raise CannotMeasure(f"{path}: the trace has no timestamps; give one a line, in seconds")
    return np.array(moments_s) - moments_s[0]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
