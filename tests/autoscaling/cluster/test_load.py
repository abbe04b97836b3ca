"""Loads: shapes, files, and their faults."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,rps\n0,1\n15,2\n30,3\n900,4\n", ":4: the gap to the next line is 870 s, but the usual gap is 15 s"),
        ("time,rps\n0,1\n15,\n", ":3: the time or the requests per second are missing; add them, or remove the line"),
        ("time,rps\n0,1\n15,-3\n", ":3: '-3' is not a number of at least 0"),
        ("time,rps\n15,1\n0,1\n", ":3: 0 is not after the previous time; sort the lines by time"),
        ("when,rps\n0,1\n", ":1: the columns time and rps are missing; name them in the first line"),
        ("time,rps\nsoon,1\n", ":2: 'soon' is not a time; give seconds, HH:MM or an ISO 8601 time"),
        ("time,rps\n0,1\n", " has 1 line of load; at least two are required"),
        ("", ":1: the columns time and rps are missing; name them in the first line"),
    ],
)
def test_fault_in_a_file_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "load.csv"
    file.write_text(text)
    assert message in fault(str(file))


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
