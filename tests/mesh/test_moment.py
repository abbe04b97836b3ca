"""One parser reads every time of the product: zones, offsets and units of numbers."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import moment

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", (NEW_YEAR_S, 0.0)),
        ("2026-01-01 00:00:00 UTC", (NEW_YEAR_S, 0.0)),
        ("2026-01-01T01:00:00+01:00", (NEW_YEAR_S, 3600.0)),
        ("2026-01-01", (NEW_YEAR_S, None)),
        ("20260101", (NEW_YEAR_S, None)),
        ("0", (0.0, 0.0)),
        ("1767225600", (NEW_YEAR_S, 0.0)),
        ("1767225600.5", (NEW_YEAR_S + 0.5, 0.0)),
        ("1.7672256e9", (NEW_YEAR_S, 0.0)),
        ("1767225600500", (NEW_YEAR_S + 0.5, 0.0)),
        ("1767225600500000", (NEW_YEAR_S + 0.5, 0.0)),
        ("1767225600000000000", (NEW_YEAR_S, 0.0)),
    ],
)
def test_time_is_read_with_its_zone_and_unit(text: str, expected: tuple[float, float | None]) -> None:
    assert moment.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "nan", "inf", "1_000", "yesterday", "None", "True", "-1", "5e10", "1e30"),
        *("2026-10-25T02:30:00 CET", "2026-10-25T02:30:00[Europe/Berlin]"),  # a name stands for several offsets
        *("2026-13-01", "20261301", "20261301120000", "202601011200", "0001-01-01", "2150-01-01"),
    ],
)
def test_text_that_is_not_a_time_is_refused(text: str) -> None:
    assert moment.parse(text) is None


@given(st.datetimes(datetime.datetime(1990, 1, 2), datetime.datetime(2099, 12, 30)), st.sampled_from((0, 1)))
def test_every_form_of_a_local_time_is_the_same_moment(time: datetime.datetime, fold: int) -> None:
    time = time.replace(microsecond=0, tzinfo=BERLIN, fold=fold)
    seconds = int(time.timestamp())
    texts = [time.isoformat(), *(str(seconds * units) for units in (1, 10**3, 10**6, 10**9))]
    assert {moment.epoch_s(one) for one in (time, *texts)} == {float(seconds)}
