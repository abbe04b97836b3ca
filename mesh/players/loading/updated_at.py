"""The column `updated_at` of a player file: ISO 8601 or seconds since 1970."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

_LATEST_S = 1e11  # the year 5138; a larger number is milliseconds by mistake


def times_of(cells: pa.Array) -> list[Any]:
    """Returns the cells as Python values; an empty cell is None."""
    if pa.types.is_timestamp(cells.type):
        # The datetime of Python does not support nanoseconds.
        cells = cells.cast(pa.timestamp("us", cells.type.tz), safe=False)
    return [None if value == "" else value for value in cells.to_pylist()]


def epoch_s(time: object) -> float | None:
    """Returns seconds since 1970, or None if `time` is invalid. A time without a zone is UTC."""
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
