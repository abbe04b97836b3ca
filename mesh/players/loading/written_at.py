"""The column `updated_at` of a player file: ISO 8601 or seconds since 1970."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

_LATEST_S = 1e11  # the year 5138: more is milliseconds, written by mistake


def times_of(cells: pa.Array) -> list[Any]:
    """The cells as Python values, None where empty."""
    if pa.types.is_timestamp(cells.type):
        # Python's datetime knows no nanoseconds.
        cells = cells.cast(pa.timestamp("us", cells.type.tz), safe=False)
    values: list[Any] = cells.to_pylist()
    return values


def epoch_s(time: object) -> float | None:
    """Seconds since 1970, or None if `time` is no time. Without a zone it is UTC."""
    if isinstance(time, datetime.date) and not isinstance(time, datetime.datetime):
        time = datetime.datetime.combine(time, datetime.time())
    if isinstance(time, datetime.datetime):
        return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp()
    try:
        seconds = float(str(time))
    except ValueError:
        return _iso_s(str(time))
    return seconds if 0 <= seconds < _LATEST_S else None


def _iso_s(text: str) -> float | None:
    try:
        return epoch_s(datetime.datetime.fromisoformat(text.strip()))
    except ValueError:
        return None
