"""Reads a load from a CSV file of times and requests per second, for example an export of Prometheus."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscaling.cluster.load import MAX_LENGTH_S, Load, rate_of
from autoscaling.cluster.load_shapes import SHAPES
from mesh import time_column
from mesh.errors import Misconfigured
from mesh.time_column import DAYLIGHT, Times

_TIMES, _RATES = ("time", "timestamp", "t", "t_s"), ("rps", "value", "requests_per_s", "rate")


def read_file(path: Path) -> Load:
    """Reads the load in the CSV file at `path`; raises Misconfigured with the line number of the fault."""
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        fix = f"give a CSV file, or a shape: {', '.join(SHAPES)}"
        raise Misconfigured([f"--load {path}: {problem}; {fix}"]) from error
    time, rate = _columns(path, lines[0] if lines else [])
    times: list[tuple[str, str]] = []
    rates: list[float] = []
    for number, line in enumerate(lines[1:], 2):
        place = f"{path}:{number}"
        if len(line) <= max(time, rate) or not line[time].strip() or not line[rate].strip():
            raise Misconfigured(
                [f"{place}: the time or the requests per second are missing; add them, or remove the line"]
            )
        times.append((place, line[time]))
        rates.append(rate_of(place, line[rate]))
    return _from_points(path, time_column.read(times), rates)


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    places = [next((names.index(name) for name in known if name in names), None) for known in (_TIMES, _RATES)]
    if places[0] is None or places[1] is None:
        raise Misconfigured([f"{path}:1: the columns time and rps are missing; name them in the first line"])
    return places[0], places[1]


def _from_points(path: Path, times: Times, rates: Sequence[float]) -> Load:
    if len(rates) < 2:
        count = "1 line" if rates else "0 lines"
        raise Misconfigured([f"{path}: has {count} of load; at least two are required"])
    at_s = np.array(times.at_s)
    gaps = np.diff(at_s)
    usual_s = float(np.median(gaps))
    if gaps.max() > max(5 * usual_s, 60.0):
        gap = int(gaps.argmax())
        problem = f"the gap to the next line is {gaps[gap]:g} s, but the usual gap is {usual_s:g} s"
        fix = f"add the missing lines, with 0 if there were no requests{f'; {DAYLIGHT}' if times.local else ''}"
        raise Misconfigured([f"{path}:{gap + 2}: {problem}; {fix}"])
    if at_s[-1] > MAX_LENGTH_S:
        raise Misconfigured([f"{path}: the load is longer than 40 days; shorten it"])
    return Load(str(path), at_s, np.array(rates), times.clock_s, times.begin)
