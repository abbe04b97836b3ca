"""Reads the header of a LightGBM text model without LightGBM: its columns, categories, objective and size."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from mesh.category_lists import Category as Category
from mesh.category_lists import CategoryList, ColumnCodes, OpenLists, find_columns, shown

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = ("feature_names", "categories", "objective", "classes", "trees")
OPEN_LISTS = "open_category_lists"
_MISSING_CODE = -1
MAX_BYTES = 2**31  # of a file that a command reads
_Parsed = TypeVar("_Parsed")


class BadModel(Exception):
    """A model that cannot be served; `reason` is a sentence with the cause and, if there is one, the fix."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongCategories(BadModel):
    """The named category columns contradict the model file; `reason` has the problem, a semicolon and the fix."""


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """The properties of a model that its callers need to build rows and to read scores.

    `categories` holds the values of each pandas category column in the order of their codes: the code of a value is its
    index. It is empty if `open_lists` is set: then the file does not show to which columns its lists belong. `classes`
    is the number of scores of a row: 1, or the number of classes of a multiclass model.
    """

    feature_names: tuple[str, ...]
    categories: Mapping[str, tuple[Category, ...]]
    objective: str
    classes: int
    trees: int
    open_lists: OpenLists | None = None


def read_header(path: Path, categories: Sequence[str] | None = None) -> ModelHeader:
    """Returns the header of the model file at `path`; raises `BadModel` if the file or its header cannot be read.

    `categories` are the columns of the pandas categories, if somebody knows them; raises `WrongCategories` if they
    contradict the file.
    """
    return parse_header(_read(path), categories)


def read_columns(path: Path) -> list[ColumnCodes]:
    """Returns the values of each column that training saw; raises `BadModel` if the file cannot be read."""
    model = _read(path)
    fields = _fields(model)
    return _columns(fields["feature_names"].split(" "), fields["feature_infos"].split(" "), _categorical_columns(model))


def read_objective(path: Path) -> tuple[str, bool]:
    """Returns the objective with its parameters, such as `binary sigmoid:1`, and whether the trees are averaged.

    The trees of a random forest are. The objective of a model with a custom loss is empty. Raises `BadModel`.
    """
    fields = _fields(_read(path))
    return fields.get("objective", ""), "average_output" in fields


def parse_header(model: bytes, categories: Sequence[str] | None = None) -> ModelHeader:
    """Returns the header of the text of a model in UTF-8; reads only the parts before and after the trees.

    For `categories`, see `read_header`.
    """
    fields = _fields(model)
    names = tuple(fields["feature_names"].split(" "))
    if len(set(names)) != len(names) or _number(fields, "max_feature_idx") + 1 != len(names):
        raise BadModel("feature_names does not have max_feature_idx + 1 different names: the file is damaged")
    per_iteration = _number(fields, "num_tree_per_iteration")
    header = ModelHeader(
        feature_names=names,
        categories={},
        objective=fields.get("objective", "custom").split(" ")[0],
        classes=max(1, per_iteration),
        trees=len(fields["tree_sizes"].split()),
    )
    lists = _pandas_categorical(model)
    columns = _columns(names, fields["feature_infos"].split(" "), _categorical_columns(model)) if lists else []
    return _with_given(header, lists, columns, categories) if categories else _with_found(header, lists, columns)


def with_categories(header: ModelHeader, names: Sequence[str]) -> ModelHeader:
    """Returns the `header` of a worker with its categories in the columns `names` of the catalog.

    Raises `WrongCategories` if the worker has them in other columns.
    """
    known: Mapping[str, CategoryList] | None = header.categories
    if header.open_lists is not None:
        known = header.open_lists.assigned(header.feature_names, lambda name, _: name in names)
    if known is None or set(known) != set(names):
        problem = f"its categories are not in the columns {', '.join(map(repr, names))} of the catalog"
        raise WrongCategories(f"{problem}; start the worker with --categories={','.join(names)}")
    return replace(header, categories=known, open_lists=None)


def to_properties(header: ModelHeader) -> dict[str, str]:
    """Returns `header` as the properties of an OIP ModelMetadataResponse: a JSON value for each of `PROPERTIES`.

    For open lists, `OPEN_LISTS` takes the place of `categories`, so that no older reader takes the model for one
    without categories.
    """
    properties = {name: json.dumps(getattr(header, name)) for name in PROPERTIES}
    if header.open_lists is not None:
        del properties["categories"]
        lists = header.open_lists
        properties[OPEN_LISTS] = json.dumps({"lists": lists.lists, "columns": lists.columns})
    return properties


def from_properties(properties: Mapping[str, str]) -> ModelHeader:
    """Reads the properties of `to_properties`; raises `BadModel` with the name of a missing or wrong property."""
    is_open = OPEN_LISTS in properties
    return ModelHeader(
        feature_names=_property(properties, "feature_names", lambda names: tuple(map(_text, names))),
        categories={} if is_open else _property(properties, "categories", _category_lists),
        objective=_property(properties, "objective", _text),
        classes=_property(properties, "classes", int),
        trees=_property(properties, "trees", int),
        open_lists=_property(properties, OPEN_LISTS, _open_lists) if is_open else None,
    )


def _read(path: Path) -> bytes:
    from mesh.bounded_file import read_bytes  # here, because it imports gRPC, and a worker does not call this function

    try:
        return read_bytes(path, MAX_BYTES, is_named_by_file=True)
    except OSError as error:
        raise BadModel(f"{path}: {error.strerror or error}") from error


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


def _columns(names: Sequence[str], infos: Sequence[str], categorical: Sequence[int]) -> list[ColumnCodes]:
    """Returns the facts in the header about the values of each column: `none`, `[0.5:7]`, or the codes `-1:0:2`."""
    if len(infos) != len(names):
        raise BadModel(
            f"feature_infos has {len(infos)} columns, but feature_names has {len(names)}: the file is damaged"
        )
    if not all(column < len(names) for column in categorical):
        raise BadModel("categorical_feature has a column that the model does not have: the file is damaged")
    named = zip(names, infos, strict=True)
    return [_column(name, info, column in categorical) for column, (name, info) in enumerate(named)]


def _column(name: str, info: str, is_listed: bool) -> ColumnCodes:
    if info == "none":
        return ColumnCodes(name, is_listed)
    values = info.strip("[]").split(":")
    try:
        if not info.startswith("["):  # LightGBM 2 does not list such a column in categorical_feature
            return ColumnCodes(name, True, codes=frozenset(map(int, values)) - {_MISSING_CODE})
        low, high = map(float, values)
    except ValueError as error:
        raise BadModel(f"feature_infos has {info!r} for column '{name}': the file is damaged") from error
    return ColumnCodes(name, is_listed, ends=(low, high))


def _with_found(header: ModelHeader, lists: Sequence[CategoryList], columns: Sequence[ColumnCodes]) -> ModelHeader:
    """Returns `header` with the categories by column, or with open lists."""
    if not lists:
        return header
    found = find_columns(lists, columns)
    if not found.columns:
        raise BadModel(
            f"no columns have codes that fit the {len(lists)} lists of pandas categories at the end of the file: "
            "the file is damaged, or its lists are of another model"
        )
    known = found.assigned(header.feature_names, lambda _name, _values: True)
    return replace(header, open_lists=found) if known is None else replace(header, categories=known)


def _with_given(
    header: ModelHeader, lists: Sequence[CategoryList], columns: Sequence[ColumnCodes], names: Sequence[str]
) -> ModelHeader:
    """Returns `header` with the categories in the columns `names`; raises `WrongCategories` if the file has others."""
    by_name = {column.name: column for column in columns or [ColumnCodes(name, False) for name in header.feature_names]}
    if unknown := [name for name in names if name not in by_name]:
        raise WrongCategories(
            f"the model has no column {unknown[0]!r}; name the category columns of the training frame"
        )
    if len(names) != len(lists) or len(set(names)) != len(names):
        lists_of = ", ".join(map(shown, lists)) or "none"
        problem = f"names {len(names)} columns, but the model file has {len(lists)} lists of categories ({lists_of})"
        raise WrongCategories(f"{problem}; name each category column of the training frame once")
    order = sorted(names, key=header.feature_names.index)
    for name, values in zip(order, lists, strict=True):
        if not by_name[name].fits(values):
            problem = f"the values of {name!r} in training were no codes of its list {shown(values)}"
            raise WrongCategories(f"{problem}; name the category columns of the training frame")
    return replace(header, categories=dict(zip(order, lists, strict=True)))


def _pandas_categorical(model: bytes) -> list[CategoryList]:
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
    return [tuple(values) for values in lists or []]


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


def _open_lists(value: Mapping[str, Any]) -> OpenLists:
    lists, columns = value["lists"], value["columns"]
    if not _are_category_lists(lists) or len(lists) != len(columns):
        raise ValueError("not lists of strings, numbers or booleans, each with its columns")
    return OpenLists(tuple(map(tuple, lists)), tuple(tuple(map(_text, names)) for names in columns))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value
