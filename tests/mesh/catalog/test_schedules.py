"""The windows of schedules: time zones, daylight saving time, days of the week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from mesh.catalog import catalog
from mesh.catalog.deployment.schedules import Schedule, minimum
from mesh.errors import Misconfigured
from tests.k8s import catalogs

EVENING = Schedule(cron="0 18 * * *", tz="Europe/Berlin", hours=4, min=12)


def window(schedule: Schedule, day: datetime) -> tuple[str, str]:
    """Returns the first and the last covered minute of the 48 hours from `day` on, in UTC."""
    minutes = [day + timedelta(minutes=number) for number in range(48 * 60)]
    covered = [f"{one:%a %H:%M}" for one in minutes if schedule.covers(one)]
    return covered[0], covered[-1]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (datetime(2026, 7, 1, tzinfo=UTC), "16:00"),  # summer: UTC + 2 h
        (datetime(2026, 12, 1, tzinfo=UTC), "17:00"),
        (datetime(2026, 10, 25, tzinfo=UTC), "17:00"),  # the day of the change
    ],
)
def test_window_begins_at_the_local_time_of_day(day: datetime, expected: str) -> None:
    covered = [hour for hour in range(24) if EVENING.covers(day + timedelta(hours=hour))]
    assert f"{covered[0]:02d}:00" == expected
    assert len(covered) == 4


def test_window_lasts_its_hours_across_a_change_of_daylight_saving_time() -> None:
    night = Schedule(cron="0 22 * * sat", tz="Europe/Berlin", hours=8, min=3)
    assert window(night, datetime(2026, 10, 24, tzinfo=UTC)) == ("Sat 20:00", "Sun 03:59")


def test_begin_that_the_change_skips_is_an_hour_later() -> None:
    skipped = Schedule(cron="30 2 * * *", tz="Europe/Berlin", hours=1, min=3)
    assert skipped.covers(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))  # 03:30 in Berlin
    assert not skipped.covers(datetime(2026, 3, 29, 1, 29, tzinfo=UTC))


def test_window_of_several_days_and_hours_and_days_of_the_week() -> None:
    weekend = Schedule(cron="0 20 * * fri", hours=52, min=3)
    assert window(weekend, datetime(2026, 11, 27, tzinfo=UTC)) == ("Fri 20:00", "Sat 23:59")
    assert weekend.covers(datetime(2026, 11, 29, 23, 59, tzinfo=UTC))
    assert not weekend.covers(datetime(2026, 11, 30, tzinfo=UTC))
    twice = Schedule(cron="30 8,18 * * sat-mon,3", hours=1, min=3)
    week = [datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=30 * number) for number in range(7 * 48)]
    assert [f"{one:%a %H:%M}" for one in week if twice.covers(one) and one.minute == 30] == [
        f"{day} {hour}:30" for day in ("Mon", "Wed", "Sat", "Sun") for hour in ("08", "18")
    ]


def test_highest_window_counts_and_never_lowers_the_minimum() -> None:
    at_seven = datetime(2026, 12, 1, 18, tzinfo=UTC)
    low = Schedule(cron="0 0 * * *", hours=24, min=2)
    assert minimum(3, (low,), at_seven) == 3
    assert minimum(3, (low, EVENING), at_seven) == 12
    assert minimum(3, (low, EVENING), at_seven + timedelta(hours=5)) == 3


@pytest.mark.parametrize(
    "cron", ["0 18 * *", "0 18 1 * *", "0 18 * 12 *", "*/5 * * * *", "0 24 * * *", "60 1 * * *", "0 18 * * 8", ""]
)
def test_other_cron_expressions_are_refused(cron: str) -> None:
    with pytest.raises(ValidationError):
        Schedule(cron=cron, hours=1, min=1)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ('{cron: "0 18 * * *", tz: Berlin, hours: 1, min: 1}', "'Berlin' is not a time zone"),
        ('{cron: "0 18 * * *", hours: 1, min: 99}', "99 is above replicas.max 10; lower min or raise max"),
    ],
)
def test_fault_of_a_schedule_is_reported(tmp_path: Path, schedule: str, message: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        catalog.load(catalogs.small(tmp_path, model=f"schedule: [{schedule}]"))
    assert "schedule" in str(raised.value)
    assert message in str(raised.value)
