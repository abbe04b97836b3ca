"""JSON values from chunks of bytes."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.discovery import json_lines
from supervisor.discovery.json_lines import JsonLines, TooLong


@given(st.lists(st.sampled_from([1, "é", None, {"a": [2]}])), st.randoms(use_true_random=False))
def test_values_are_complete_however_the_bytes_are_cut(values: list[object], chance: random.Random) -> None:
    data = "".join(f"{json.dumps(value)}\n" for value in values).encode()
    lines = JsonLines()
    received: list[object] = []
    while data:
        cut = chance.randint(1, len(data))
        received += lines.feed(data[:cut])
        data = data[cut:]
    assert received == values


def test_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 10)
    with pytest.raises(TooLong):
        JsonLines().feed(b"x" * 11)
