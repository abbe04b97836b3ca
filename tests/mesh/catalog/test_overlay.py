"""Merging settings, and the inverse."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.deployment.overlay import merge, subtract

LEAVES = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
TREES: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("abc"), st.recursive(LEAVES, lambda part: st.dictionaries(st.sampled_from("abc"), part)), max_size=3
)


def test_merge_combines_mappings_by_key_and_replaces_lists() -> None:
    assert merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


@given(base=TREES, override=TREES)
def test_merge_of_the_difference_equals_merge_of_the_whole(base: Any, override: Any) -> None:
    assert merge(base, subtract(override, base)) == merge(base, override)


@given(tree=TREES)
def test_difference_of_equal_trees_is_empty(tree: Any) -> None:
    assert subtract(tree, tree) == {}
