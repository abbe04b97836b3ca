"""Schedules: more minimum replicas at certain hours, because an HPA starts only when the load has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from mesh.block import Block
from mesh.catalog.deployment.autoscaling_v2 import MAX_INT32

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_HOUR = r"(1?[0-9]|2[0-3])"
_DAY = rf"([0-7]|{'|'.join(_DAYS)})"
# A part of cron(5): one minute, hours, and days of the week. Without days of the month, every window has a simple end.
_CRON = rf"^[0-5]?[0-9] {_HOUR}(,{_HOUR})* \* \* (\*|{_DAY}(-{_DAY})?(,{_DAY}(-{_DAY})?)*)$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; give a name such as Europe/Berlin or UTC") from None
    return name


class Schedule(Block):
    """A daily or weekly window in which a Deployment has at least `min` replicas."""

    cron: Annotated[str, Field(pattern=_CRON)] = Field(
        description='begin: "MINUTE HOURS * * DAYS", such as "0 18 * * *" or "30 8,18 * * mon-fri"'
    )
    tz: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="time zone of the begin (IANA)")
    hours: int = Field(ge=1, le=168, description="length of the window")
    min: int = Field(ge=1, le=MAX_INT32, description="minimum replicas in the window")

    @property
    def minute(self) -> int:
        """The minute of the hour at which the windows begin and end."""
        return int(self.cron.split()[0])

    def covers(self, now: datetime) -> bool:
        """Returns whether `now`, a time with a zone, is in a window.

        A window begins at the time of day in `tz`, and lasts `hours` real hours, also across a change of daylight
        saving time. A begin that the change skips is an hour later; a begin that occurs twice is the first.
        """
        zone, hours, days = ZoneInfo(self.tz), self._hours(), self._days()
        local, length = now.astimezone(zone), timedelta(hours=self.hours)
        for back in range(self.hours // 24 + 2):
            day = local.date() - timedelta(days=back)
            if day.isoweekday() % 7 not in days:
                continue
            for hour in hours:
                begin = datetime(day.year, day.month, day.day, hour, self.minute, tzinfo=zone).astimezone(UTC)
                if begin <= now < begin + length:
                    return True
        return False

    def _hours(self) -> list[int]:
        return [int(hour) for hour in self.cron.split()[1].split(",")]

    def _days(self) -> frozenset[int]:
        """The days of the week; Sunday is 0."""
        text = self.cron.split()[4]
        if text == "*":
            return frozenset(range(7))
        found: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition("-")
            begin, end = _number(first), _number(last or first)
            found.update(number % 7 for number in range(begin, (end if end >= begin else end + 7) + 1))
        return frozenset(found)


def _number(day: str) -> int:
    return _DAYS.index(day) if day in _DAYS else int(day)


def minimum(base: int, schedule: Sequence[Schedule], now: datetime) -> int:
    """Returns the minimum replicas at `now`: `base`, or that of a window that is higher."""
    return max([base, *(one.min for one in schedule if one.covers(now))])
