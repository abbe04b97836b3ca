"""Values laid over values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.deployment.laying import merge, without

LEAVES = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
TREES: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("abc"), st.recursive(LEAVES, lambda part: st.dictionaries(st.sampled_from("abc"), part)), max_size=3
)


def test_mappings_are_merged_key_by_key_and_lists_replaced() -> None:
    assert merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


@given(under=TREES, over=TREES)
def test_what_must_be_said_makes_the_same_of_what_is_said_already(under: Any, over: Any) -> None:
    assert merge(under, without(over, under)) == merge(under, over)


@given(tree=TREES)
def test_nothing_must_be_said_twice(tree: Any) -> None:
    assert without(tree, tree) == {}
