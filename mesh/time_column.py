"""A column of times in a file: all of one kind, in ascending order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mesh import moment
from mesh.errors import Misconfigured
from mesh.moment import Moment

DAY_S = 86_400.0
_CLOCK = re.compile(r"\d?\d:\d\d(:\d\d)?")
_SINCE_1990_S = 631_152_000.0  # a smaller number is seconds since any start
_FORMATS = "give seconds, HH:MM, ISO 8601, or a number since 1970"
DAYLIGHT = "a time of a zone with daylight saving needs its offset, as in 2026-10-25T02:30:00+02:00"
_LOCAL = "time without a zone"


class Times(NamedTuple):
    """The times of a column.

    `at_s`: seconds since the first time. `clock_s`: the time of day of the first time, in its own zone. `begin`: the
    first time, if the times have dates. `local`: they have no zone.
    """

    at_s: list[float]
    clock_s: float = 0.0
    begin: Moment | None = None
    local: bool = False


class _Time(NamedTuple):
    seconds: float
    kind: str
    moment: Moment | None = None


def read(cells: Sequence[tuple[str, str]], *, equal_times: bool = False) -> Times:
    """Reads times; a cell is its place in the file, for messages, and its text. No cells: no times.

    Raises Misconfigured for a text that is not a time, for two kinds of time, for a descending time, and, unless
    `equal_times`, for two equal times.
    """
    times: list[_Time] = []
    for place, text in cells:
        time = _time(place, text)
        if times and time.kind != times[0].kind:
            problem = f"{text} is a {time.kind}, but {cells[0][1]} at {cells[0][0]} is a {times[0].kind}"
            raise Misconfigured([f"{place}: {problem}; give all times in one form"])
        if times and (time.seconds < times[-1].seconds or (time.seconds == times[-1].seconds and not equal_times)):
            fix = f"sort the lines by time; {DAYLIGHT}" if time.kind == _LOCAL else "sort the lines by time"
            raise Misconfigured([f"{place}: {text} is not after the previous time; {fix}"])
        times.append(time)
    if not times:
        return Times([])
    first, found = times[0].seconds, times[0].moment
    clock_s = (first + (found.offset_s or 0.0 if found else 0.0)) % DAY_S
    return Times([time.seconds - first for time in times], clock_s, found, times[0].kind == _LOCAL)


def clock_s(text: str) -> float:
    """Parses `HH:MM` or `HH:MM:SS`, up to 48:59:59, to seconds since midnight; raises ValueError."""
    parts = [int(part) for part in text.split(":")] if _CLOCK.fullmatch(text) else []
    if not parts or not all(part < 60 for part in parts[1:]) or parts[0] > 48:
        raise ValueError(text)
    return float(sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)))


def _time(place: str, text: str) -> _Time:
    text = text.strip()
    if _CLOCK.fullmatch(text):
        return _clock_time(place, text)
    found = moment.parse(text)
    if found is None:
        raise Misconfigured([f"{place}: {text!r} is not a time; {_FORMATS}"])
    if moment.is_number(text):
        since_1970 = found.epoch_s >= _SINCE_1990_S
        return _Time(
            found.epoch_s, "number since 1970" if since_1970 else "number of seconds", found if since_1970 else None
        )
    if found.offset_s is None:
        return _Time(found.epoch_s, _LOCAL, found)
    return _Time(found.epoch_s, "time with a zone", found)


def _clock_time(place: str, text: str) -> _Time:
    try:
        return _Time(clock_s(text), "time of day")
    except ValueError:
        raise Misconfigured([f"{place}: {text!r} is not a time; {_FORMATS}"]) from None
