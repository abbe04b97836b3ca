"""Reads the header of a LightGBM text model without LightGBM: its columns, categories, objective and size."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

Category = str | int | float | bool

PROPERTIES = ("feature_names", "categories", "objective", "classes", "trees")
_Parsed = TypeVar("_Parsed")


class BadModel(Exception):
    """A model that cannot be served; `reason` is a sentence with the cause and, if there is one, the fix."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """The properties of a model that its callers need to build rows and to read scores.

    `categories` holds the values of each pandas category column in the order of their codes: the code of a value is its
    index. `classes` is the number of scores of a row: 1, or the number of classes of a multiclass model.
    """

    feature_names: tuple[str, ...]
    categories: Mapping[str, tuple[Category, ...]]
    objective: str
    classes: int
    trees: int


def read_header(path: Path) -> ModelHeader:
    """Returns the header of the model file at `path`; raises `BadModel` if the file or its header cannot be read."""
    try:
        return parse_header(path.read_bytes())
    except OSError as error:
        raise BadModel(f"{path}: {error.strerror or error}") from error


def parse_header(model: bytes) -> ModelHeader:
    """Returns the header of the text of a model in UTF-8; reads only the parts before and after the trees."""
    fields = _fields(model)
    names = tuple(fields["feature_names"].split(" "))
    if len(set(names)) != len(names) or _number(fields, "max_feature_idx") + 1 != len(names):
        raise BadModel("feature_names does not have max_feature_idx + 1 different names: the file is damaged")
    per_iteration = _number(fields, "num_tree_per_iteration")
    return ModelHeader(
        feature_names=names,
        categories=_categories(model, names, fields["feature_infos"].split(" ")),
        objective=fields.get("objective", "custom").split(" ")[0],
        classes=max(1, per_iteration),
        trees=len(fields["tree_sizes"].split()),
    )


def to_properties(header: ModelHeader) -> dict[str, str]:
    """Returns `header` as the properties of an OIP ModelMetadataResponse: a JSON value for each of `PROPERTIES`."""
    return {name: json.dumps(getattr(header, name)) for name in PROPERTIES}


def from_properties(properties: Mapping[str, str]) -> ModelHeader:
    """Reads the properties of `to_properties`; raises `BadModel` with the name of a missing or wrong property."""
    return ModelHeader(
        feature_names=_property(properties, "feature_names", lambda names: tuple(map(_text, names))),
        categories=_property(properties, "categories", _category_lists),
        objective=_property(properties, "objective", _text),
        classes=_property(properties, "classes", int),
        trees=_property(properties, "trees", int),
    )


def _fields(model: bytes) -> dict[str, str]:
    end = model.find(b"\n\n")
    head = model[: max(end, 0)]
    if not head.startswith(b"tree\n"):
        raise BadModel("this is not a LightGBM text model: it does not start with the line 'tree'")
    fields = dict(line.partition("=")[::2] for line in _decode(head).split("\n")[1:])
    wanted = ("max_feature_idx", "num_tree_per_iteration", "feature_names", "feature_infos", "tree_sizes")
    if missing := [name for name in wanted if name not in fields]:
        raise BadModel(f"the header has no {', '.join(missing)}: save the model again with LightGBM 3 or newer")
    return fields


def _categories(model: bytes, names: Sequence[str], infos: Sequence[str]) -> dict[str, tuple[Category, ...]]:
    lists = _pandas_categorical(model)
    if not lists:
        return {}
    columns = _categorical_columns(model)
    if len(columns) != len(lists):
        raise BadModel(
            f"the model was trained on {len(lists)} pandas category columns, and {len(columns)} columns are marked as "
            "categorical, so the lists of categories cannot be assigned to columns: train it with unordered categories "
            "only (Series.cat.as_unordered()), or with integer codes for all of them"
        )
    if not all(column < min(len(names), len(infos)) for column in columns):
        raise BadModel("categorical_feature has a column that the model does not have: the file is damaged")
    for column, values in zip(columns, lists, strict=True):
        _check_codes(names[column], infos[column], len(values))
    return {names[column]: tuple(values) for column, values in zip(columns, lists, strict=True)}


def _check_codes(name: str, info: str, size: int) -> None:
    """Raises `BadModel` if the codes of a column (`-1:0:2`; `none` if it is constant) are not indices of its list."""
    codes = [] if info == "none" else info.split(":")
    if not all(code.lstrip("-").isdigit() and int(code) < size for code in codes):
        raise BadModel(
            f"column '{name}' has category codes that do not fit its list of {size} values: use either "
            "pandas categories or integer codes for all categorical columns, not both"
        )


def _pandas_categorical(model: bytes) -> list[list[Category]]:
    """Returns the lists at the end of the file, one for each pandas category column, in the order of the columns."""
    at = model.rfind(b"\npandas_categorical:")
    if at < 0:
        return []
    try:
        lists = json.loads(_decode(model[at:]).partition(":")[2])
    except ValueError as error:
        raise BadModel(f"pandas_categorical at the end of the file is not valid JSON: {error}") from error
    if not _are_category_lists(lists or []):
        raise BadModel("pandas_categorical is not a list of lists of strings, numbers or booleans")
    return lists or []


def _are_category_lists(lists: object) -> bool:
    return isinstance(lists, list) and all(
        isinstance(values, list) and all(isinstance(value, Category) for value in values) for values in lists
    )


def _categorical_columns(model: bytes) -> list[int]:
    start = model.rfind(b"\n[categorical_feature: ")
    line = _decode(model[start + 1 : model.find(b"]", start)]) if start >= 0 else ""
    listed = line.partition(": ")[2]
    try:
        return [int(column) for column in listed.split(",")] if listed else []
    except ValueError as error:
        raise BadModel(f"categorical_feature is not a list of column numbers: {listed!r}") from error


def _number(fields: Mapping[str, str], name: str) -> int:
    try:
        return int(fields[name])
    except ValueError as error:
        raise BadModel(f"the header field {name} is not a whole number: {fields[name]!r}") from error


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadModel(f"the model is not UTF-8 text: {error}") from error


def _property(properties: Mapping[str, str], name: str, parse: Callable[[Any], _Parsed]) -> _Parsed:
    try:
        return parse(json.loads(properties[name]))
    except KeyError as error:
        raise BadModel(f"the metadata of the model has no property '{name}'") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BadModel(f"the metadata of the model has a bad property '{name}': {error}") from error


def _category_lists(value: Mapping[str, list[Category]]) -> dict[str, tuple[Category, ...]]:
    if not _are_category_lists(list(value.values())):
        raise ValueError("not lists of strings, numbers or booleans by feature name")
    return {name: tuple(values) for name, values in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value
