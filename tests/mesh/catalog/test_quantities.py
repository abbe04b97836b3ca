"""Kubernetes quantities."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog import quantities


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("500m", 500),
        ("20", 20_000),
        ("1Gi", 2**30 * 1000),
        ("0.0001", 1),
        ("1500u", 2),
        (".5", 500),
        ("1e3", 1_000_000),
    ],
)
def test_thousandths_are_exact_and_rounded_up(text: str, milli: int) -> None:
    assert quantities.milli(text) == milli


@pytest.mark.parametrize("text", ["", "m", "1x", "1.2.3", "0x1", "1 m"])
def test_other_text_is_rejected(text: str) -> None:
    assert quantities.number(text) is None
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.milli(text)


@pytest.mark.parametrize(("text", "share"), [("0.1", 0.1), ("100m", 0.1), ("0", 0.0), ("0.15", 0.15), ("2", 2.0)])
def test_approximate_equals_the_float_of_the_hpa_controller(text: str, share: float) -> None:
    assert quantities.approximate(text) == share


@pytest.mark.parametrize(
    ("milli", "text"),
    [(0, "0"), (1, "1m"), (1000, "1"), (68, "68m"), (5_000_000, "5k"), (1_500_000, "1500"), (-1, "-1m")],
)
def test_thousandths_are_written_in_canonical_form(milli: int, text: str) -> None:
    assert quantities.of_milli(milli) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_canonical_form_reads_back_as_the_same_number(milli: int) -> None:
    assert quantities.number(quantities.of_milli(milli)) == Fraction(milli, 1000)
