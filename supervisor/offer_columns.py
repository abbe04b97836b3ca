"""The columns of a model's rows that the table of offers fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.offers_table import OffersTable
from mesh.category_lists import CategoryList, needs_text
from supervisor.encoding import ROW_DTYPE

Codes = Mapping[object, float]


def offer_features(offers: OffersTable | None, row_columns: Mapping[str, int]) -> list[str]:
    """Returns the features that the offers table fills, in the order of the row."""
    if offers is None:
        return []
    return sorted(row_columns.keys() & {*offers.numbers, *offers.texts}, key=row_columns.__getitem__)


def offer_values(
    offers: OffersTable | None,
    names: Sequence[str],
    codes: Mapping[str, Codes],
    categories: Mapping[str, CategoryList],
) -> NDArray[np.float64]:
    """Returns the offer columns `names` as a model sees them [offers, names]."""
    if offers is None:
        return np.empty((0, 0))
    table = np.empty((len(offers.ids), len(names)), ROW_DTYPE)
    for column, name in enumerate(names):
        values = _cells(offers, name, categories.get(name, ()))
        table[:, column] = category_codes(codes[name], values) if name in codes else np.array(values, np.float64)
    return table


def _cells(offers: OffersTable, name: str, categories: CategoryList) -> Sequence[object]:
    """Returns the cells of one column; numbers as they are written if the model has texts as categories."""
    if name in offers.spellings and needs_text(categories):
        return offers.spellings[name]
    return offers.texts[name] if name in offers.texts else offers.numbers[name]


def category_codes(codes: Codes, values: Iterable[object]) -> NDArray[np.float64]:
    """Returns the code of each value; NaN for a value without one."""
    return np.array([codes.get(value, np.nan) for value in values], np.float64)
