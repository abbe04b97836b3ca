from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from model_worker.structure import find_fault
from tests.forests import KINDS, TrainedForest, fit


def edited(model: bytes, pattern: bytes, replacement: bytes) -> bytes:
    """Returns `model` with the first match replaced by text of the same length, which keeps the tree sizes right."""
    found = re.search(pattern, model, re.MULTILINE)
    assert found is not None
    new = found.expand(replacement)
    assert len(new) == len(found[0])
    assert new != found[0]
    return model[: found.start()] + new + model[found.end() :]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_sound(kind: str, forests: Mapping[str, TrainedForest]) -> None:
    assert find_fault(forests[kind].path.read_bytes()) is None


def test_model_of_one_leaf_is_sound(tmp_path: Path) -> None:
    booster = fit(np.ones((50, 2)), np.zeros(50), {"objective": "regression"})
    booster.save_model(path := tmp_path / "constant.txt")
    assert find_fault(path.read_bytes()) is None


def test_infinite_gain_is_allowed(binary: TrainedForest) -> None:
    model = binary.path.read_bytes()
    gain = re.search(rb"(?<=^split_gain=)\S+", model, re.MULTILINE)
    assert gain is not None
    assert find_fault(edited(model, gain[0], b"inf".rjust(len(gain[0]), b"-"))) is None


def test_finite_numbers_may_have_an_infinite_sum(binary: TrainedForest) -> None:
    model = binary.path.read_bytes()
    first_two = re.search(rb"(?<=^threshold=)(\S+) (\S+)", model, re.MULTILINE)
    assert first_two is not None
    huge = b" ".join(b"1.7e308".rjust(len(value), b"0") for value in first_two.groups())
    assert find_fault(edited(model, first_two[0], huge)) is None


def test_model_that_lightgbm_saved_again_is_sound(binary: TrainedForest, tmp_path: Path) -> None:
    lightgbm.Booster(model_file=binary.path).save_model(path := tmp_path / "again.txt")
    assert find_fault(path.read_bytes()) is None


@pytest.mark.parametrize(
    ("kind", "pattern", "replacement", "fault"),
    [
        ("binary", rb"^left_child=\d", b"left_child=0", "do not form a tree"),
        ("binary", rb"^split_feature=\d", b"split_feature=9", "split_feature has the value '9', which is out of range"),
        ("binary", rb"^split_feature=\d", b"split_feature=-", "split_feature has the value '-', which is out of range"),
        ("binary", rb"^decision_type=\d", b"decision_type=+", "decision_type has"),
        ("binary", rb"^num_leaves=\d", b"num_leaves=9", "does not have 9 values"),
        ("binary", rb"^num_leaves=\d", b"num_leaves=0", "num_leaves is less than 1"),
        ("binary", rb"^leaf_value=(\S+) ", rb"leaf_value=\1.", "does not have 7 values"),
        ("binary", rb"^leaf_value=\S{5}", b"leaf_value=1e999", "leaf_value has a value that is not a finite number"),
        ("binary", rb"^leaf_value=\S{3}", b"leaf_value=nan", "leaf_value has a value that is not a number"),
        ("binary", rb"^leaf_count=(\d+) ", rb"leaf_count=\1_", "leaf_count does not have 7 values"),
        ("binary", rb"^threshold=\S", b"threshold=x", "threshold has a value that is not a number"),
        ("binary", rb"^shrinkage=1", b"shrinkage=x", "shrinkage has a value that is not a number"),
        ("binary", rb"^leaf_value=", b"leaf_valeu=", "leaf_value is missing"),
        ("binary", rb"^split_gain=", b"leaf_value=", "occurs twice"),
        ("binary", rb"^split_gain=", b"split_gain:", "a line is not a field"),
        ("binary", rb"^Tree=1$", b"Tree=2", "tree 1 is not where tree_sizes says"),
        ("binary", rb"^end of trees", b"end of threes"[:12], "do not end where tree_sizes says"),
        ("binary", rb"^max_feature_idx=5", b"max_feature_idx=6", "feature_names does not have 7 values"),
        ("binary", rb"^num_class=1", b"num_class=2", "num_class is not equal to num_tree_per_iteration"),
        ("multiclass", rb"^num_class=3\n(\w+)=3((\n.+)+num_class:)3", rb"num_class=7\n\1=7\g<2>7", "same number of"),
        ("multiclass", rb"num_class:3", b"num_class:9", "the objective is for another number of classes"),
        ("categorical", rb"^cat_boundaries=0 2", b"cat_boundaries=0 9", "cat_boundaries does not fit"),
        ("categorical", rb"^cat_boundaries=0 2", b"cat_boundaries=1 2", "cat_boundaries does not fit"),
        ("categorical", rb"^threshold=0", b"threshold=9", "not the index of a bit set"),
        ("categorical", rb"^cat_threshold=\d", b"cat_threshold=-", "not a whole number|32-bit"),
        ("categorical", rb"^num_cat=\d", b"num_cat=0", "num_cat does not fit"),
        ("linear_tree", rb"^leaf_features=(\s*)\d", rb"leaf_features=\g<1>9", "leaf_features has the value '9'"),
        ("linear_tree", rb"^num_features=(\d) (\d)", rb"num_features=9 \2", "does not have"),
        ("binary", rb"^leaf_weight", b"leaf\0weight", "bytes that do not occur in a text model"),
        ("binary", rb"^tree\n", b"t\nee\n", "does not start with the header"),
    ],
)  # fmt: skip
def test_fault_of_a_damaged_model_is_found(
    kind: str, pattern: bytes, replacement: bytes, fault: str, forests: Mapping[str, TrainedForest]
) -> None:
    model = edited(forests[kind].path.read_bytes(), pattern, replacement)
    assert re.search(fault, find_fault(model) or "no fault")


def test_cycle_outside_the_root_is_a_fault() -> None:
    # Nodes 1 and 2 are children of each other: each is a child once, but the root does not reach them.
    assert (
        find_fault(model_of_children("-1 2 1", "-2 -3 -4"))
        == "the file is damaged: tree 0: the child indices form a cycle"
    )


def test_children_in_any_order_are_sound() -> None:
    assert find_fault(model_of_children("2 -1 1", "-2 -3 -4")) is None


@pytest.mark.parametrize("end", [0, 10, 300, 1500, -2000, -1])
def test_truncated_model_has_a_fault(end: int, binary: TrainedForest) -> None:
    assert find_fault(binary.path.read_bytes()[:end]) is not None


def test_number_with_too_many_digits_is_a_fault(binary: TrainedForest) -> None:
    model = binary.path.read_bytes().replace(b"max_feature_idx=5", b"max_feature_idx=" + b"5" * 10_000)
    assert "not a whole number" in (find_fault(model) or "")


def model_of_children(left: str, right: str) -> bytes:
    tree = (
        "Tree=0\nnum_leaves=4\nnum_cat=0\nsplit_feature=0 0 0\nthreshold=1 2 3\ndecision_type=2 2 2\n"
        f"left_child={left}\nright_child={right}\nleaf_value=1 2 3 4\nshrinkage=1\n\n\n"
    )
    head = (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n"
        f"objective=regression\nfeature_names=a\nfeature_infos=[0:9]\ntree_sizes={len(tree)}\n\n"
    )
    return f"{head}{tree}end of trees\n\nend of parameters\n".encode()
