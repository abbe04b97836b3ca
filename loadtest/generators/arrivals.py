"""Arrival times for open-loop runs; they are fixed before the run and do not depend on the answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.simulated.service_times import Seconds


def poisson(rate_rps: float, seconds: float, seed: int) -> Seconds:
    """The arrivals of a Poisson process of `rate_rps` within `seconds`, in ascending order from 0 [arrivals].

    The same arguments give the same arrivals. Given their number, the arrivals are independent and uniform
    (Cox & Lewis 1966, section 2.1), and are drawn in this way.
    """
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate_rps * seconds)))


def constant(rate_rps: float, seconds: float) -> Seconds:
    """One arrival every 1 / `rate_rps` seconds within `seconds`, from 0 [arrivals]."""
    return np.arange(math.ceil(rate_rps * seconds - 1e-9)) / rate_rps


def read_trace(path: Path) -> Seconds:
    """The arrivals in a text or CSV file, shifted so that the first is at 0 [arrivals].

    The first column of each line is a time in seconds, in ascending order. A header, blank lines and lines that begin
    with `#` are skipped. Raises CannotMeasure with the number of the wrong line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotMeasure(f"{path}: cannot read the trace: {error}") from error
    times_s: list[float] = []
    for number, line in enumerate(lines, 1):
        cell = line.split(",")[0].strip()
        if not cell or cell.startswith("#") or (number == 1 and not _is_number(cell)):
            continue
        if not _is_number(cell):
            raise CannotMeasure(f"{path}:{number}: {cell!r} is not a number of seconds")
        if times_s and float(cell) < times_s[-1]:
            raise CannotMeasure(f"{path}:{number}: {cell} is earlier than {times_s[-1]:g} before it; sort the trace")
        times_s.append(float(cell))
    if not times_s:
        raise CannotMeasure(f"{path}: the trace has no timestamps; write one per line, in seconds")
    return np.array(times_s) - times_s[0]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
