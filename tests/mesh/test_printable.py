"""Text from outside becomes one line of printable characters, without passwords."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.printable import lines, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("whales", "whales"),
        (
            "Ω 😀\u200d☠ \u06cc\u200c\u0627",
            "Ω 😀\u200d☠ \u06cc\u200c\u0627",
        ),  # joiners stay
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31mred\x1b[0m", r"\u001b[31mred\u001b[0m"),
        ("nul\0c1\x9bdel\x7f", r"nul\u0000c1\u009bdel\u007f"),
        ("\u2028\u2029\u202e\u2066\ufeff\u061c", r"\u2028\u2029\u202e\u2066\ufeff\u061c"),
        ("half \ud800", r"half \ud800"),
        ("http://user:pa:ss@host:8000/key@1", "http://***@host:8000/key@1"),
        ("s3://bucket/a@b and redis://:secret@host", "s3://bucket/a@b and redis://***@host"),
    ],
)
def test_unsafe_characters_are_escapes_and_passwords_are_hidden(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text(st.characters(codec=None, categories=["Cs", "Cc", "Zl", "Zp", "Cf", "L", "P", "S"])))
def test_any_text_becomes_one_line_that_can_be_written(text: str) -> None:
    shown = one_line(text)
    assert len(f"{shown}.".splitlines()) == 1
    assert shown.encode().decode() == shown
    assert "\x1b" not in shown
    assert one_line(shown) == shown or "://" in shown


def test_lines_keep_their_breaks_and_tabs() -> None:
    assert lines("a\tb\nc\x1b\n") == "a\tb\nc\\u001b\n"


def test_json_stays_the_same_json() -> None:
    value = {"offer": "a\u2028\u202eb\x9b"}
    assert json.loads(lines(json.dumps(value, ensure_ascii=False))) == value
