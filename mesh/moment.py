"""Parses points in time: ISO 8601, or a number of s, ms, us or ns since 1970. The one parser of the whole product."""

from __future__ import annotations

import datetime
import math
import re
from typing import NamedTuple

FORMATS = "ISO 8601 (2026-10-01T12:00:00Z) or seconds since 1970"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_DATE = re.compile(r"(19|20)\d{6}")
_LATEST_S = 4_102_444_800.0  # 2100-01-01
_SINCE_S = 631_152_000.0  # 1990-01-01: a number of ms, us or ns is later, so that no number has two meanings
_PER_SECOND = (1e3, 1e6, 1e9)  # ms, us, ns


class Moment(NamedTuple):
    """A point in time. `offset_s` is the offset of its zone from UTC; None if the zone is not given."""

    epoch_s: float
    offset_s: float | None = None

    def __str__(self) -> str:
        return f"{self.epoch_s:.15g} s since 1970"


def parse(value: object) -> Moment | None:
    """Returns the point in time that a number, a date or a text describes; None if there is none from 1970 to 2099.

    A time without a zone counts as UTC. The size of a number shows its unit: the ranges of s, ms, us and ns do not
    overlap.
    """
    if isinstance(value, Moment):
        return _within(*value)
    if isinstance(value, datetime.datetime):
        return _of_datetime(value)
    if isinstance(value, datetime.date):
        return _of_datetime(datetime.datetime.combine(value, datetime.time()))
    text = str(value).strip()
    return _of_number(float(text)) if is_number(text) else _of_iso(text)


def is_number(text: str) -> bool:
    """Returns whether `text` is a number. 20261001 is a date, not seconds of August 1970."""
    return bool(_NUMBER.fullmatch(text)) and not _DATE.fullmatch(text)


def epoch_s(value: object) -> float | None:
    """Returns the seconds since 1970 of `parse`."""
    moment = parse(value)
    return None if moment is None else moment.epoch_s


def _of_datetime(time: datetime.datetime) -> Moment | None:
    offset = time.utcoffset()
    seconds = (time if offset is not None else time.replace(tzinfo=datetime.UTC)).timestamp()
    return _within(seconds, None if offset is None else offset.total_seconds())


def _of_iso(text: str) -> Moment | None:
    try:
        return _of_datetime(datetime.datetime.fromisoformat(re.sub(r" ?(UTC|GMT|z)$", "Z", text)))
    except (ValueError, OverflowError):
        return None


def _of_number(number: float) -> Moment | None:
    """A number since 1970 is UTC: its offset is 0."""
    if number < _LATEST_S:
        return _within(number, 0.0)
    found = (number / units for units in _PER_SECOND)
    return next((Moment(seconds, 0.0) for seconds in found if _SINCE_S <= seconds < _LATEST_S), None)


def _within(seconds: float, offset_s: float | None) -> Moment | None:
    return Moment(seconds, offset_s) if math.isfinite(seconds) and 0 <= seconds < _LATEST_S else None
