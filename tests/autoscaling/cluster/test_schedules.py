"""Schedules in the simulation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autoscaling.cluster import load_reader
from tests.autoscaling.simulated_games import catalog, deployment, run

NINE_TO_ELEVEN = {"cron": "0 9 * * *", "tz": "Europe/Berlin", "hours": 2, "min": 6}


def replicas_by_hour(load: str, **schedule: object) -> list[float]:
    """Returns the replicas in the middle of each hour, of a model with hardly any load."""
    found = catalog({"whales": {"schedule": [{**NINE_TO_ELEVEN, **schedule}]}}, quorum=1)
    series = deployment(run(found, load), "whales").replicas
    return [float(one) for one in series[120::240]]


def test_window_raises_the_replicas_and_its_end_lowers_them() -> None:
    found = replicas_by_hour("day:peak=1,trough=1")
    assert [hour for hour, count in enumerate(found) if count >= 6] == [9, 10]
    assert found[8] == found[12] == 2


def test_window_that_is_open_at_the_start_counts_from_the_first_step() -> None:
    assert replicas_by_hour("day:peak=1,trough=1", cron="0 23 * * *", hours=3)[:3] == [6, 6, 2]


def csv(tmp_path: Path, begin: datetime, form: str) -> str:
    file = tmp_path / "load.csv"
    times = [begin + timedelta(minutes=5 * number) for number in range(12 * 24)]
    file.write_text("time,rps\n" + "".join(f"{one.strftime(form)},1\n" for one in times), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("form", "first_hour"),
    [("%Y-%m-%dT%H:%M:%SZ", 7), ("%Y-%m-%dT%H:%M:%S", 9)],  # July: UTC + 2 h; without a zone: Berlin's time
)
def test_load_with_dates_is_read_in_the_zone_of_the_schedule(tmp_path: Path, form: str, first_hour: int) -> None:
    found = replicas_by_hour(csv(tmp_path, datetime(2026, 7, 1, tzinfo=UTC), form))
    assert next(hour for hour, count in enumerate(found) if count >= 6) == first_hour


def test_days_of_the_week_are_those_of_the_load(tmp_path: Path) -> None:
    wednesday = csv(tmp_path, datetime(2026, 7, 1, tzinfo=UTC), "%Y-%m-%dT%H:%M:%SZ")
    assert max(replicas_by_hour(wednesday, cron="0 9 * * mon")) == 2
    assert max(replicas_by_hour(wednesday, cron="0 9 * * wed")) == 6


def test_load_without_dates_starts_on_a_monday() -> None:
    begin = load_reader.read("day").moment(19 * 3600, ZoneInfo("Asia/Tokyo"))
    assert begin.isoformat() == "2000-01-03T19:00:00+09:00"
