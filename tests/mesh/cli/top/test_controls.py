"""The keys of `mesh top` and what they select."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.top.controls import Controls, pressed
from mesh.cli.top.keys import keys
from mesh.cli.top.options import SORTS

VERSIONS = [("g", "1"), ("g", "2")]


def after(*names: str, last_offset: int = 30) -> Controls:
    return reduce(lambda controls, key: pressed(controls, key, VERSIONS, last_offset), names, Controls())


def test_bytes_of_a_terminal_are_keys() -> None:
    sent = b"sq\t\x1b[Z\x1b[A\x1bOB\x1b[C\x1b[D\x1b[5~\x1b[6~\x1b[H\x1b[4~?\x1b"
    names = ["s", "q", "tab", "back tab", "up", "down", "right", "left", "page up", "page down", "home", "end", "?"]
    assert keys(sent) == [*names, "escape"]


def test_sequences_without_a_name_are_left_out() -> None:
    assert keys(b"\x1b[200~\x1b[1;5Hs\x1b[?1;2c\xc3\xa4") == ["s"]


@given(st.binary(max_size=40))
def test_any_bytes_are_keys_or_nothing(data: bytes) -> None:
    controls = reduce(lambda one, key: pressed(one, key, VERSIONS, 5), keys(data), Controls())
    assert controls.sort in SORTS
    assert controls.version in (None, *VERSIONS)
    assert 0 <= controls.offset <= 5


def test_s_goes_through_the_orders_and_back() -> None:
    assert after("s").sort == SORTS[1]
    assert after("S").sort == SORTS[-1]
    assert after(*"s" * len(SORTS)) == Controls()


def test_tab_goes_through_the_versions_and_back_to_all() -> None:
    assert [after(*["tab"] * times).version for times in range(4)] == [None, ("g", "1"), ("g", "2"), None]
    assert after("left").version == ("g", "2")


def test_version_that_is_gone_is_left_for_the_first() -> None:
    assert pressed(Controls(version=("g", "0")), "tab", VERSIONS, 0).version == ("g", "1")


def test_scrolling_ends_at_the_first_and_at_the_last_lines() -> None:
    assert [after(*names).offset for names in (["up"], ["down"], ["page down"], ["end"], ["end", "down"])] == [
        *(0, 1, 10, 30, 30)
    ]
    assert after("down", last_offset=0).offset == 0


@pytest.mark.parametrize(("key", "field"), [("p", "is_paused"), ("?", "is_help"), ("q", "is_ended")])
def test_keys_of_pause_help_and_end(key: str, field: str) -> None:
    assert getattr(after(key), field)
    assert after("x", "p", "p", "?", "escape") == Controls()
