from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mesh.category_lists import OpenLists
from mesh.model_file import (
    BadModel,
    ModelHeader,
    WrongCategories,
    from_properties,
    parse_header,
    read_header,
    to_properties,
    with_categories,
)
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


def test_ordered_categories_are_found_although_they_are_not_marked(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pandas_frame(rng, 200, ordered_tier=True)
    fit(frame, rng.normal(size=200), {"objective": "regression"}).save_model(path := tmp_path / "ordered.txt")
    assert read_header(path).categories == {"platform": tuple(PLATFORMS), "tier": tuple(TIERS)}


def test_column_whose_codes_do_not_fit_the_list_does_not_get_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pandas_frame(rng, 200, ordered_tier=True).drop(columns="platform")
    frame["f0"] = rng.integers(0, 9, 200)
    booster = fit(frame, rng.normal(size=200), {"objective": "regression"}, categorical_feature=["f0"])
    booster.save_model(path := tmp_path / "mixed.txt")
    assert read_header(path).categories == {"tier": tuple(TIERS)}


def test_list_that_fits_two_columns_is_open(tmp_path: Path) -> None:
    header = read_header(region_or_weekday(tmp_path))
    assert header.categories == {}
    assert header.open_lists == OpenLists((tuple(range(1, 8)),), (("region", "weekday"),))
    assert str(header.open_lists) == "[1, 2, 3, 4, ...] fits the columns 'region', 'weekday'"


def test_named_columns_get_the_lists(tmp_path: Path) -> None:
    path = region_or_weekday(tmp_path)
    assert read_header(path, ["region"]).categories == {"region": tuple(range(1, 8))}
    assert read_header(path, ["weekday"]).categories == {"weekday": tuple(range(1, 8))}


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["regoin"], "no column 'regoin'; name the category columns"),
        (
            ["region", "weekday"],
            r"names 2 columns, but the model file has 1 lists of categories \(\[1, 2, 3, 4, ...\]\)",
        ),
        (["level"], r"the values of 'level' in training were no codes of its list \[1, 2, 3, 4, ...\]"),
    ],
)
def test_named_columns_that_contradict_the_file_are_refused(names: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(WrongCategories, match=problem):
        read_header(region_or_weekday(tmp_path), names)


def test_columns_named_for_a_model_without_categories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongCategories, match=r"the model file has 0 lists of categories \(none\)"):
        read_header(train("binary", tmp_path).path, ["Column_1"])


def test_names_of_the_catalog_open_the_lists_of_a_worker(tmp_path: Path) -> None:
    header = read_header(region_or_weekday(tmp_path))
    assert with_categories(header, ["weekday"]) == read_header(region_or_weekday(tmp_path), ["weekday"])
    with pytest.raises(WrongCategories, match="not in the columns 'level' of the catalog; start the worker with"):
        with_categories(header, ["level"])
    with pytest.raises(WrongCategories, match="--categories=weekday"):
        with_categories(read_header(region_or_weekday(tmp_path), ["region"]), ["weekday"])


def region_or_weekday(folder: Path) -> Path:
    """Saves a model whose only list of categories is the region's, and whose only marked column is the weekday."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"level": rng.normal(size=400), "region": np.arange(400) % 7 + 1, "weekday": rng.integers(0, 7, 400)}
    )
    data = frame.astype({"region": "category"})
    labels = frame["level"] + (frame["region"] % 2) + 2 * (frame["weekday"] == 3)
    params = {"objective": "regression", "min_data_per_group": 5, "cat_smooth": 1}
    fit(data, labels, params, categorical_feature=["weekday"]).save_model(path := folder / "open.txt")
    return path


@pytest.mark.parametrize("kind", ["binary", "multiclass", "pandas"])
def test_a_header_travels_as_properties(kind: str, tmp_path: Path) -> None:
    header = read_header(train(kind, tmp_path).path)
    assert from_properties({**to_properties(header), "sha256": "of no concern"}) == header


def test_a_header_with_open_lists_travels_as_properties(tmp_path: Path) -> None:
    header = read_header(region_or_weekday(tmp_path))
    properties = to_properties(header)
    assert from_properties(properties) == header
    assert "categories" not in properties  # an older supervisor must not take it for a model without categories
    with pytest.raises(BadModel, match="bad property 'open_category_lists'"):
        from_properties({**properties, "open_category_lists": '{"lists": [[1]], "columns": []}'})


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
