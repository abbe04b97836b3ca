"""Loads: shapes, files, and their faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autoscaling.cluster import load_reader
from mesh.errors import Misconfigured


def fault(text: str) -> str:
    with pytest.raises(Misconfigured) as raised:
        load_reader.read(text)
    (found,) = raised.value.faults
    return found


def test_means_of_a_step_load_are_exact() -> None:
    means = load_reader.read("step:from=10,to=40,at=30,length=60").means(15)
    assert means.tolist() == [10.0, 10.0, 39.0, 40.0]


def test_day_load_is_highest_at_the_time_of_its_peak() -> None:
    means = load_reader.read("day:peak=1000,trough=100,at=68400").means(900)
    assert (len(means), int(means.argmax()), round(means.min())) == (96, 76, 100)


def test_file_with_times_of_day_is_read(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("time,rps\n18:00,10\n18:01,20\n18:02,20\n")
    load = load_reader.read(str(file))
    assert (load.means(60).tolist(), load.start_s, load.clock(90)) == ([15.0, 20.0], 64_800.0, "18:01:30")


def test_file_with_unix_times_of_prometheus_is_read(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.csv"
    file.write_text("timestamp,value\n1760000000,10\n1760000015,30\n1760000030,30\n")
    assert load_reader.read(str(file)).means(15).tolist() == [20.0, 30.0]


BERLIN, FIVE_MINUTES = ZoneInfo("Europe/Berlin"), timedelta(minutes=5)


def berlin(begin: datetime, form: str) -> str:
    """Returns six hours of load, whose times are local times of Berlin."""
    times = [(begin + step * FIVE_MINUTES).astimezone(BERLIN) for step in range(73)]
    return "time,rps\n" + "".join(f"{time.strftime(form)},{100 + step}\n" for step, time in enumerate(times))


@pytest.mark.parametrize("begin", [datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC)])
def test_offsets_are_applied_across_a_change_of_daylight_saving_time(tmp_path: Path, begin: datetime) -> None:
    file = tmp_path / "night.csv"
    file.write_text(berlin(begin, "%Y-%m-%dT%H:%M:%S%z"))
    load = load_reader.read(str(file))
    assert (load.length_s, load.at_s.tolist()) == (21_600.0, [300.0 * step for step in range(73)])
    assert load.begin is not None
    assert load.begin.epoch_s == begin.timestamp()


@pytest.mark.parametrize(
    ("begin", "problem"),
    [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), "02:00:00 is not after the previous time; sort the lines by time"),
        (datetime(2026, 3, 28, 22, tzinfo=UTC), "the gap to the next line is 3900 s, but the usual gap is 300 s"),
    ],
)
def test_local_times_across_a_change_are_refused_with_the_fix(tmp_path: Path, begin: datetime, problem: str) -> None:
    file = tmp_path / "night.csv"
    file.write_text(berlin(begin, "%Y-%m-%dT%H:%M:%S"))
    assert problem in fault(str(file))
    assert fault(str(file)).endswith("needs its offset, as in 2026-10-25T02:30:00+02:00")


def test_two_offsets_in_one_file_are_one_hour_apart(tmp_path: Path) -> None:
    file = tmp_path / "offsets.csv"
    file.write_text("time,rps\n2026-01-01T10:00:00+00:00,1\n2026-01-01T12:00:00+01:00,2\n")
    load = load_reader.read(str(file))
    assert (load.length_s, load.clock(0)) == (3600.0, "10:00:00")


def test_milliseconds_are_not_seconds(tmp_path: Path) -> None:
    file = tmp_path / "grafana.csv"
    file.write_text("Time,Value\n1760000000000,10\n1760000015000,30\n")
    assert load_reader.read(str(file)).length_s == 15.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "time,rps\n2026-01-01T10:00:00Z,1\n2026-01-01T10:01:00,2\n",
            "2026-01-01T10:01:00 is a time without a zone, but 2026-01-01T10:00:00Z at {file}:2 is a time with a zone",
        ),
        (
            "time,rps\n18:00,1\n1760000000,2\n",
            "1760000000 is a number since 1970, but 18:00 at {file}:2 is a time of day",
        ),
        ("time,rps\nnan,1\n", "'nan' is not a time"),
        ("time,rps\n18:75,1\n", "'18:75' is not a time"),
        ("time,rps\n0,1\n15,2\n30,3\n900,4\n", ":4: the gap to the next line is 870 s, but the usual gap is 15 s"),
        ("time,rps\n0,1\n15,\n", ":3: the time or the requests per second are missing; add them, or remove the line"),
        ("time,rps\n0,1\n15,-3\n", ":3: '-3' is not a number of at least 0"),
        ("time,rps\n15,1\n0,1\n", ":3: 0 is not after the previous time; sort the lines by time"),
        ("when,rps\n0,1\n", ":1: the columns time and rps are missing; name them in the first line"),
        ("time,rps\nsoon,1\n", ":2: 'soon' is not a time; give seconds, HH:MM, ISO 8601"),
        ("time,rps\n0,1\n", " has 1 line of load; at least two are required"),
        ("", ":1: the columns time and rps are missing; name them in the first line"),
    ],
)
def test_fault_in_a_file_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "load.csv"
    file.write_text(text)
    assert message.format(file=file) in fault(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day:peek=3", "--load day:peek=3: day has no parameter 'peek'; it has trough, peak, at, rush, length"),
        ("steady:rps=many", "--load steady:rps=many: rps: 'many' is not a number of at least 0"),
        ("steady:length=0", "--load steady:length=0: length is 0 s; give more than 0 and at most 40 days"),
        ("nowhere.csv", "--load nowhere.csv: cannot be read: No such file or directory; give a CSV file, or a shape"),
    ],
)
def test_fault_in_a_shape_is_reported(text: str, message: str) -> None:
    assert fault(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "at_s", "expected"),
    [
        ("day", 86_400, "24:00:00"),
        ("steady:length=3600", 3600, "01:00:00"),
        ("steady:length=172800", 86_400, "day 2, 00:00:00"),
    ],
)
def test_clock_does_not_restart_at_the_end_of_one_day(text: str, at_s: float, expected: str) -> None:
    assert load_reader.read(text).clock(at_s) == expected
