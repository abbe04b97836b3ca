"""Arrival times for open-loop runs; they are fixed before the run and do not depend on the answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.simulated.service_times import Seconds
from mesh import time_column
from mesh.errors import Misconfigured


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

    The first column of each line is a time (`mesh.time_column`), in ascending order. A header without digits, blank
    lines and lines that begin with `#` are skipped. Raises CannotMeasure with the number of the wrong line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotMeasure(f"{path}: cannot read the trace: {error}") from error
    cells = [(f"{path}:{number}", line.split(",")[0].strip()) for number, line in enumerate(lines, 1)]
    cells = [(place, text) for place, text in cells if text and not text.startswith("#")]
    if cells and cells[0][0] == f"{path}:1" and not any(map(str.isdigit, cells[0][1])):
        del cells[0]
    if not cells:
        raise CannotMeasure(f"{path}: the trace has no times; write one per line")
    try:
        return np.array(time_column.read(cells, equal_times=True).at_s)
    except Misconfigured as error:
        raise CannotMeasure("; ".join(error.faults)) from error
