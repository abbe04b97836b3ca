from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.errors import CannotMeasure
from loadtest.generators.arrivals import constant, poisson, read_trace


def test_schedule_depends_only_on_the_seed() -> None:
    assert poisson(50.0, 10.0, seed=4).tolist() == poisson(50.0, 10.0, seed=4).tolist()
    assert poisson(50.0, 10.0, seed=4).tolist() != poisson(50.0, 10.0, seed=5).tolist()


def test_gaps_between_arrivals_are_exponential() -> None:
    gaps_s = np.diff(poisson(80.0, 1000.0, seed=6))
    assert gaps_s.min() >= 0.0
    assert gaps_s.mean() == pytest.approx(1 / 80, rel=0.02)
    assert gaps_s.std() == pytest.approx(1 / 80, rel=0.03)
    assert np.median(gaps_s) == pytest.approx(np.log(2) / 80, rel=0.03)


def test_number_of_arrivals_has_the_variance_of_a_poisson_process() -> None:
    counts = np.array([len(poisson(100.0, 1.0, seed)) for seed in range(2000)])
    assert counts.mean() == pytest.approx(100.0, rel=0.01)
    assert counts.var() == pytest.approx(100.0, rel=0.1)


def test_constant_arrivals_have_equal_gaps() -> None:
    assert constant(4.0, 1.0).tolist() == [0.0, 0.25, 0.5, 0.75]


def test_trace_starts_at_zero_and_may_have_a_header_comments_and_columns(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time,player\n# evening\n10.5,a\n\n11,b\n11,c\n")
    assert read_trace(tmp_path / "trace.csv").tolist() == [0.0, 0.5, 0.5]


def test_trace_may_have_times_in_milliseconds_or_with_a_zone(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("1760000000000\n1760000000500\n")
    assert read_trace(file).tolist() == [0.0, 0.5]
    file.write_text("2026-10-25T02:30:00+02:00\n2026-10-25T02:00:00+01:00\n")
    assert read_trace(file).tolist() == [0.0, 1800.0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1\nx\n", r"trace\.csv:2: 'x' is not a time"),
        ("2\n1\n", ":2: 1 is not after the previous time"),
        ("# none\n", "no times"),
    ],
)
def test_invalid_trace_is_reported_with_its_line_number(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(text)
    with pytest.raises(CannotMeasure, match=complaint):
        read_trace(tmp_path / "trace.csv")


def test_missing_trace_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="nothing"):
        read_trace(tmp_path / "nothing")
