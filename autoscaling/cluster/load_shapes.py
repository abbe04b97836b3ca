"""Load shapes: `SHAPE:key=value,...`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from autoscaling.cluster.load import MAX_LENGTH_S, Load, rate_of
from mesh.errors import Misconfigured
from mesh.time_column import DAY_S

Parameters = Mapping[str, float]
Points = list[tuple[float, float]]


def read_shape(text: str) -> Load:
    """Returns the load that `text` describes; raises Misconfigured."""
    shape, _, parameters = text.partition(":")
    make, defaults = SHAPES[shape]
    given = dict(defaults)
    for parameter in filter(None, parameters.split(",")):
        key, _, value = parameter.partition("=")
        if key not in defaults:
            raise Misconfigured([f"--load {text}: {shape} has no parameter {key!r}; it has {', '.join(defaults)}"])
        given[key] = rate_of(f"--load {text}: {key}", value)
    if not 0 < given["length"] <= MAX_LENGTH_S:
        raise Misconfigured([f"--load {text}: length is {given['length']:g} s; give more than 0 and at most 40 days"])
    points = sorted(make(given))
    at_s, rps = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    return Load(text, at_s, np.maximum(rps, 0.0))


def _steady(given: Parameters) -> Points:
    return [(0.0, given["rps"]), (given["length"], given["rps"])]


def _step(given: Parameters) -> Points:
    at = given["at"]
    return [(0.0, given["from"]), (at, given["from"]), (at + 1.0, given["to"]), (given["length"], given["to"])]


def _ramp(given: Parameters) -> Points:
    return [(0.0, given["from"]), (given["length"], given["to"])]


def _spike(given: Parameters) -> Points:
    at, low, end = given["at"], given["from"], given["at"] + given["for"]
    return [
        (0.0, low),
        (at, low),
        (at + 1.0, given["to"]),
        (end, given["to"]),
        (end + 1.0, low),
        (given["length"], low),
    ]


def _day(given: Parameters) -> Points:
    """A cosine between trough and peak, plus a rush of log-ins at the time of the peak."""
    at = np.arange(0.0, given["length"] + 1, 300.0)
    swing = (1 + np.cos(2 * math.pi * (at - given["at"]) / DAY_S)) / 2
    low, high = given["trough"], given["peak"]
    base = low + (high * (1 - given["rush"]) - low) * swing**2
    since = (at - given["at"]) % DAY_S
    rush = high * given["rush"] * np.exp(-since / 1800) * (since < 4 * 3600)
    return list(zip(at.tolist(), (base + rush).tolist(), strict=True))


SHAPES: Mapping[str, tuple[Callable[[Parameters], Points], Parameters]] = {
    "steady": (_steady, {"rps": 100, "length": 3600}),
    "step": (_step, {"from": 100, "to": 400, "at": 900, "length": 3600}),
    "ramp": (_ramp, {"from": 100, "to": 400, "length": 3600}),
    "spike": (_spike, {"from": 100, "to": 1000, "at": 900, "for": 120, "length": 3600}),
    "day": (_day, {"trough": 200, "peak": 2000, "at": 19 * 3600, "rush": 0.25, "length": DAY_S}),
}
