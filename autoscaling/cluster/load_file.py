"""Reads a load from a CSV file of times and requests per second, for example an export of Prometheus."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from autoscaling.cluster.load import DAY_S, MAX_LENGTH_S, Load, rate_of
from autoscaling.cluster.load_shapes import SHAPES
from mesh.errors import Misconfigured

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
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines[1:], 2):
        place = f"{path}:{number}"
        if len(line) <= max(time, rate) or not line[time].strip() or not line[rate].strip():
            raise Misconfigured(
                [f"{place}: the time or the requests per second are missing; add them, or remove the line"]
            )
        points.append((_time(place, line[time]), rate_of(place, line[rate])))
        if len(points) > 1 and points[-1][0] <= points[-2][0]:
            raise Misconfigured([f"{place}: {line[time]} is not after the previous time; sort the lines by time"])
    return _from_points(path, points)


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    places = [next((names.index(name) for name in known if name in names), None) for known in (_TIMES, _RATES)]
    if places[0] is None or places[1] is None:
        raise Misconfigured([f"{path}:1: the columns time and rps are missing; name them in the first line"])
    return places[0], places[1]


def _from_points(path: Path, points: Sequence[tuple[float, float]]) -> Load:
    if len(points) < 2:
        count = "1 line" if points else "0 lines"
        raise Misconfigured([f"{path}: has {count} of load; at least two are required"])
    at_s = np.array([point[0] for point in points])
    gaps = np.diff(at_s)
    usual_s = float(np.median(gaps))
    if gaps.max() > max(5 * usual_s, 60.0):
        gap = int(gaps.argmax())
        problem = f"the gap to the next line is {gaps[gap]:g} s, but the usual gap is {usual_s:g} s"
        raise Misconfigured([f"{path}:{gap + 2}: {problem}; add the missing lines, with 0 if there were no requests"])
    if at_s[-1] - at_s[0] > MAX_LENGTH_S:
        raise Misconfigured([f"{path}: the load is longer than 40 days; shorten it"])
    return Load(str(path), at_s - at_s[0], np.array([point[1] for point in points]), float(at_s[0] % DAY_S))


def _time(place: str, text: str) -> float:
    """Parses seconds, HH:MM, HH:MM:SS or an ISO 8601 time (without a zone: UTC) to seconds."""
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return clock_s(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise Misconfigured([f"{place}: {text!r} is not a time; give seconds, HH:MM or an ISO 8601 time"]) from None
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def clock_s(text: str) -> float:
    """Parses `HH:MM` or `HH:MM:SS` to seconds since midnight; raises ValueError."""
    parts = [int(part) for part in text.split(":")]
    if len(parts) not in (2, 3) or not all(0 <= part < 60 for part in parts[1:]) or not 0 <= parts[0] <= 48:
        raise ValueError(text)
    return float(sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)))
