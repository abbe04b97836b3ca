"""The rule for ids, and its form for pyarrow."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.ids import MAX_ID_BYTES, NOT_ALLOWED, id_problem

# A zero-width non-joiner, joiners of an emoji, a no-break space, a soft hyphen, a wide space, a mark of direction, a
# variation selector and a tag, and a letter that is newer than most fonts.
UNUSUAL_IDS = [
    "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "👨\u200d👩\u200d👧",
    "a\u00a0b",
    "co\u00adop",
    "a\u3000b",
    "\u05d0\u200f1",
    "☂\ufe0f",
    "🏴\U000e0067",
    "\U0001fae9",
]


@pytest.mark.parametrize("value", UNUSUAL_IDS)
def test_joiners_and_spaces_are_part_of_ids(value: str) -> None:
    assert id_problem(value) is None


@pytest.mark.parametrize(
    "character", ["\0", "\t", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2067", "\ud800"]
)
def test_control_character_is_named(character: str) -> None:
    problem = f"has the character U+{ord(character):04X}, which cannot be printed; remove it"
    assert id_problem(f"a{character}b") == problem


def test_long_id_is_reported_with_its_size() -> None:
    assert id_problem("é" * 64) is None
    assert id_problem("é" * 65) == "has 130 bytes; use at most 128 bytes"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_rule_for_pyarrow_is_the_same_rule(value: str) -> None:
    found = pc.match_substring_regex(pa.array([value]), NOT_ALLOWED)[0].as_py()
    assert (found or len(value.encode()) > MAX_ID_BYTES) == (id_problem(value) is not None)
