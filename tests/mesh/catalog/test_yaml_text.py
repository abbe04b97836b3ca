from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.catalog import yaml_text

TRICKY = (
    *("1e5", "25921e05", "7e2", ".5e3", "1E+5", "0o7", "0x1f", "0b1", "1_000", "012", "1:30", "190:20:30"),
    *("y", "Y", "n", "yes", "no", "on", "off", "true", "null", "~", "", " ", "=", "<<", ".inf", "-.INF", ".nan"),
    *("2026-10-01", "2026-10-01 20:00:00", "- a", "a: b", "a #b", "#", "*a", "&a", "!a", "%a", "@a", "`a", "{"),
    *(
        "[",
        "'",
        "...",
        "---",
        "a\nb",
        "a\tb",
        "\u00a0",
        "\u200d",
        "\u2028",
        "\ufeff",
        "Ω",
        "😀",
        "a,b",
        "a}",
        "?",
        "-",
        "|",
        ">",
    ),
)
TEXTS = st.one_of(st.sampled_from(TRICKY), st.from_regex(r"[-+0-9.eEoxyn_:]{1,8}", fullmatch=True), st.text())
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12)


@given(value=VALUES, flow=st.booleans())
@example(value={key: [*TRICKY] for key in TRICKY}, flow=True)
@example(value={key: [*TRICKY] for key in TRICKY}, flow=False)
@example(value={"\u00a0a": None}, flow=False)
def test_what_the_writer_writes_the_reader_reads(value: Any, flow: bool) -> None:
    assert same(yaml_text.load(yaml_text.dump(value, flow=flow)), value)


def same(one: Any, other: Any) -> bool:
    """Equality that also compares types: 1 is not 1.0, and true is not 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(value=VALUES)
@example(value={key: key for key in ("a\nb", "a\r\nb", "\n", "\u2028", "a\n\nb ")})
def test_flow_style_is_one_line(value: Any) -> None:
    assert "\n" not in yaml_text.dump(value, flow=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e5", 1e5),
        (".5e1", 5.0),
        ("0o17", 15),
        ("y", True),
        ("N", False),
        ("2026-10-01", datetime.date(2026, 10, 1)),
        (".inf", math.inf),
        ("1e5x", "1e5x"),
    ],
)
def test_plain_texts_are_read_as_helm_reads_them(text: str, value: object) -> None:
    assert yaml_text.load(text) == value
