"""Loads as Prometheus or a load test's report tells them: a CSV of times and requests a second."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from autoscaling.cluster.load import DAY_S, LONGEST_S, Load, rate_of
from mesh.errors import Misconfigured

_TIMES, _RATES = ("time", "timestamp", "t", "t_s"), ("rps", "value", "requests_per_s", "rate")


def read_file(path: Path) -> Load:
    """The load in the CSV file at `path`; raises Misconfigured with the line of what is wrong."""
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured([f"--load {path}: cannot be read: {error}; give a CSV file, or a shape"]) from error
    time, rate = _columns(path, lines[0] if lines else [])
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines[1:], 2):
        place = f"{path}:{number}"
        if len(line) <= max(time, rate) or not line[time].strip() or not line[rate].strip():
            raise Misconfigured(
                [f"{place}: a time or its requests a second are missing; fill the hole, or drop the line"]
            )
        points.append((_time(place, line[time]), rate_of(place, line[rate])))
        if len(points) > 1 and points[-1][0] <= points[-2][0]:
            raise Misconfigured([f"{place}: {line[time]} is not after the line before; sort the lines by time"])
    return _from_points(path, points)


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in header]
    places = [next((names.index(name) for name in known if name in names), None) for known in (_TIMES, _RATES)]
    if places[0] is None or places[1] is None:
        raise Misconfigured([f"{path}:1: has no columns time and rps; name them in the first line"])
    return places[0], places[1]


def _from_points(path: Path, points: Sequence[tuple[float, float]]) -> Load:
    if len(points) < 2:
        raise Misconfigured([f"{path}: has {len(points)} lines of load; give at least two"])
    at_s = np.array([point[0] for point in points])
    gaps = np.diff(at_s)
    usual_s = float(np.median(gaps))
    if gaps.max() > max(5 * usual_s, 60.0):
        hole = int(gaps.argmax())
        problem = f"between this line and the next are {gaps[hole]:g} s, and {usual_s:g} s between most"
        raise Misconfigured([f"{path}:{hole + 2}: {problem}; fill the hole, with 0 if nobody came"])
    if at_s[-1] - at_s[0] > LONGEST_S:
        raise Misconfigured([f"{path}: spans more than 40 days; give less"])
    return Load(str(path), at_s - at_s[0], np.array([point[1] for point in points]), float(at_s[0] % DAY_S))


def _time(place: str, text: str) -> float:
    """Seconds: a number, HH:MM or HH:MM:SS, or an ISO 8601 time (without a zone: UTC)."""
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
        raise Misconfigured([f"{place}: {text!r} is no time; give seconds, HH:MM or an ISO 8601 time"]) from None
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def clock_s(text: str) -> float:
    """Seconds since midnight of `HH:MM` or `HH:MM:SS`; raises ValueError."""
    parts = [int(part) for part in text.split(":")]
    if len(parts) not in (2, 3) or not all(0 <= part < 60 for part in parts[1:]) or not 0 <= parts[0] <= 48:
        raise ValueError(text)
    return float(sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)))
