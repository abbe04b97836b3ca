from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesh.model_file import BadModel, ModelHeader, from_properties, parse_header, read_header, to_properties
from tests.forests import PLATFORMS, TIERS, fit, pandas_frame, train


def test_the_header_of_a_binary_model(tmp_path: Path) -> None:
    assert read_header(train("binary", tmp_path).path) == ModelHeader(
        feature_names=tuple(f"Column_{column}" for column in range(6)),
        categories={},
        objective="binary",
        classes=1,
        trees=12,
    )


def test_a_multiclass_model_has_a_score_for_each_class(tmp_path: Path) -> None:
    header = read_header(train("multiclass", tmp_path).path)
    assert (header.classes, header.trees, header.objective) == (3, 36, "multiclass")


def test_pandas_categories_are_found_by_feature_name(tmp_path: Path) -> None:
    header = read_header(train("pandas", tmp_path).path)
    assert header.categories == {"platform": tuple(PLATFORMS), "tier": tuple(TIERS)}


def test_integer_categories_have_no_list(tmp_path: Path) -> None:
    assert read_header(train("categorical", tmp_path).path).categories == {}


def test_a_constant_category_column_keeps_its_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pandas_frame(rng, 200)
    frame["platform"] = frame["platform"].where(frame["platform"] == "nobody").fillna("ios")
    booster = fit(frame, rng.normal(size=200), {"objective": "regression"})
    booster.save_model(path := tmp_path / "constant.txt")
    assert read_header(path).categories["platform"] == tuple(PLATFORMS)


def test_ordered_categories_are_refused_with_the_mend(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pandas_frame(rng, 200, ordered_tier=True)
    fit(frame, rng.normal(size=200), {"objective": "regression"}).save_model(path := tmp_path / "ordered.txt")
    with pytest.raises(BadModel, match=r"2 pandas category columns, and 1 columns .*as_unordered"):
        read_header(path)


def test_integer_categories_beside_ordered_ones_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pandas_frame(rng, 200, ordered_tier=True).drop(columns="platform")
    frame["f0"] = rng.integers(0, 9, 200)
    booster = fit(frame, rng.normal(size=200), {"objective": "regression"}, categorical_feature=["f0"])
    booster.save_model(path := tmp_path / "mixed.txt")
    with pytest.raises(BadModel, match="'f0' has category codes that do not fit its list of 5 values"):
        read_header(path)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "pandas"])
def test_a_header_travels_as_properties(kind: str, tmp_path: Path) -> None:
    header = read_header(train(kind, tmp_path).path)
    assert from_properties({**to_properties(header), "sha256": "of no concern"}) == header


def test_a_missing_property_is_named(tmp_path: Path) -> None:
    properties = to_properties(read_header(train("binary", tmp_path).path))
    del properties["trees"]
    with pytest.raises(BadModel, match="no property 'trees'"):
        from_properties(properties)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_names", "[1]"),
        ("feature_names", "7"),
        ("categories", "[]"),
        ("categories", '{"a": 1}'),
        ("classes", "null"),
        ("trees", "{"),
        ("objective", "3"),
    ],
)
def test_a_bad_property_is_named(name: str, value: str, tmp_path: Path) -> None:
    properties = to_properties(read_header(train("binary", tmp_path).path))
    with pytest.raises(BadModel, match=f"bad property '{name}'"):
        from_properties({**properties, name: value})


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"tree\n", b"three\n", "does not start with the line 'tree'"),
        (b"max_feature_idx=5", b"max_feature_idx=4", "max_feature_idx"),
        (b"max_feature_idx=5", b"max_feature_idx=x", "max_feature_idx is not a whole number"),
        (b"tree_sizes=", b"tree_zises=", "has no tree_sizes: save the model again"),
        (b"feature_names=f0", b"feature_names=f2", "different names"),
        (b"pandas_categorical:[[", b"pandas_categorical:[", "not valid JSON"),
        (b'pandas_categorical:[["android"', b'pandas_categorical:[[["android"]', "not a list of lists"),
        (b"[categorical_feature: 1,4]", b"[categorical_feature: 1,9]", "a column that the model does not have"),
        (b"[categorical_feature: 1,4]", b"[categorical_feature: a,b]", "not a list of column numbers"),
        (b"f0", b"\xff0", "not UTF-8"),
    ],
)
def test_a_damaged_header_is_refused_with_a_reason(old: bytes, new: bytes, reason: str, tmp_path: Path) -> None:
    model = train("pandas", tmp_path).path.read_bytes()
    assert old in model
    with pytest.raises(BadModel, match=reason):
        parse_header(model.replace(old, new, 1))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="No such file"):
        read_header(tmp_path / "none.txt")
