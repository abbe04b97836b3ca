"""The row of a model, built in plain Python from the values of its features by name."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.catalog.offers_table import OffersTable
from mesh.category_lists import needs_text
from mesh.model_file import ModelHeader

Value = float | str | None

_WRITTEN = "as written: "  # before the name of a number column of the offers: its cells as they are written


def offer_values(offers: OffersTable | None, position: int | None) -> dict[str, Value]:
    """Returns the features of the offer at `position` in the table; none without a table or a position."""
    if offers is None or position is None:
        return {}
    numbers: dict[str, Value] = {name: column[position] for name, column in offers.numbers.items()}
    written = {_WRITTEN + name: column[position] for name, column in offers.spellings.items()}
    return numbers | written | {name: column[position] for name, column in offers.texts.items()}


def golden_values(header: ModelHeader, values: Mapping[str, Value]) -> tuple[Value, ...]:
    """Returns the values of the model's features for a golden row: categories as texts if the model has texts."""
    return tuple(_golden_value(header, name, values) for name in header.feature_names)


def row_of(header: ModelHeader, values: Mapping[str, Value]) -> list[float]:
    """Returns the row of a model whose header has no open lists; NaN is a missing value or an unknown category."""
    return [_cell(header, name, values) for name in header.feature_names]


def _golden_value(header: ModelHeader, name: str, values: Mapping[str, Value]) -> Value:
    value = values.get(name)
    if name in header.categories and needs_text(header.categories[name]):
        value = values.get(_WRITTEN + name, value)
    return None if value is None or value != value else value  # NaN is missing


def _cell(header: ModelHeader, name: str, values: Mapping[str, Value]) -> float:
    value, categories = values.get(name), list[object](header.categories.get(name, ()))
    if name in header.categories:
        if needs_text(categories):
            value, categories = values.get(_WRITTEN + name, value), list(map(str, categories))
        return float(categories.index(value)) if value in categories else float("nan")
    return float("nan") if value is None else float(value)
