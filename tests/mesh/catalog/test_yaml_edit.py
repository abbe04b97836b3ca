"""Edits of YAML text: the new values are those that were asked for, and all other text stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.catalog import yaml_text
from mesh.catalog.yaml_edit import REMOVED, edit
from mesh.errors import Misconfigured

TEXT = """\
# head
a:
  b: 1   # one
  # about c
  c:
    - x   # in a list
    - {d: 2, e: "two, 2"}
  f: |
    text
    # no comment

  # the last
g: {h: 3, i: {j: 4}}   # in one line
"""


@pytest.mark.parametrize(
    ("at", "change", "old", "new"),
    [
        (("a",), {"b": 5}, "b: 1   #", "b: 5   #"),
        (("a",), {"b": [1, 2]}, "b: 1   #", "b: [1, 2]   #"),
        (("a",), {"c": 7}, '  c:\n    - x   # in a list\n    - {d: 2, e: "two, 2"}\n', "  c: 7\n"),
        (("a",), {"c": REMOVED}, '  c:\n    - x   # in a list\n    - {d: 2, e: "two, 2"}\n', ""),
        (("a",), {"b": REMOVED}, "  b: 1   # one\n", ""),
        (("a",), {"b": REMOVED, "k": 1, "l": "y"}, "  b: 1   # one\n", "  k: 1\n  l: 'y'\n"),
        (("a",), {"k": 1}, "    # no comment\n", "    # no comment\n  k: 1\n"),
        (("a", "c", 1), {"e": 2.5}, '"two, 2"', "2.5"),
        (("g",), {"h": REMOVED}, "{h: 3, i", "{i"),
        (("g",), {"i": REMOVED}, ", i: {j: 4}}", "}"),
        (("g",), {"k": "1e5"}, "{j: 4}}", "{j: 4}, k: '1e5'}"),
        (("g", "i"), {"j": 5, "k": 6}, "{j: 4}", "{j: 5, k: 6}"),
        (("g",), {"h": REMOVED, "k": 1}, "h: 3", "k: 1"),
    ],
)
def test_edit_changes_one_place(at: tuple[Any, ...], change: dict[str, Any], old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert edit(TEXT, {at: change}) == TEXT.replace(old, new)


def test_new_keys_can_be_the_first_ones() -> None:
    assert edit(TEXT, {("a",): {"k": 1}}, first=True) == TEXT.replace("  b: 1", "  k: 1\n  b: 1")
    assert edit(TEXT, {("g",): {"k": 1}}, first=True) == TEXT.replace("{h: 3", "{k: 1, h: 3")


def test_several_places_are_edited_at_once() -> None:
    edited = edit(TEXT, {("g",): {"h": 30}, ("a",): {"b": 10, "c": REMOVED}})
    assert yaml_text.load(edited)["g"]["h"] == 30
    assert yaml_text.load(edited)["a"].keys() == {"b", "f"}
    assert "# head" in edited


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\n",  # both would change
        "c: &x {b: 1}\na: *x\n",
        "a: {}\n",
        "a: 1\n",
        "c: 1\n",
        "a:\n  - b\n",
        "a: {b: &x 1, c: *x}\n",
    ],
)
def test_place_that_cannot_be_edited_by_itself_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="by hand"):
        edit(text, {("a",): {"b": 2}})


def test_merged_key_is_set_beside_the_merge() -> None:
    text = "x: &x {b: 1}\na:\n  <<: *x\n  c: 1\n"
    assert edit(text, {("a",): {"b": 2}}, first=True) == text.replace("  <<", "  b: 2\n  <<")


VALUES = st.recursive(
    st.integers() | st.booleans() | st.text("ab: #-,?[]{}\n'\"", max_size=5) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)


@example(tree={"a": []}, change={"a": ":a"}, is_flow=True)  # needs quotes only between braces
@given(
    tree=st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1, max_size=3),
    change=st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1, max_size=3),
    is_flow=st.booleans(),
)
def test_edited_text_has_the_new_values(tree: dict[str, Any], change: dict[str, Any], is_flow: bool) -> None:
    text = "v:\n  " + yaml_text.dump(tree, flow=is_flow).replace("\n", "\n  ") + "\nw: 1  # end\n"
    if yaml_text.load(text) != {"v": tree, "w": 1}:  # a text of several lines has another indentation
        return
    edited = edit(text, {("v",): change})
    assert yaml_text.load(edited) == {"v": {**tree, **change}, "w": 1}
    assert edited.endswith("\nw: 1  # end\n")
