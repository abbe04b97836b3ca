"""The values of the context features that the models of a catalog have seen in training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mesh.catalog.catalog import Catalog
from mesh.model_file import BadModel, read_columns, read_header
from mesh.reference.draws import ContextValue

VALUES = 9  # of a number: evenly spaced in the range that the models have seen
UNKNOWN_RANGE = (0.0, 1.0)  # of a number that no local model has


def context_values(catalog: Catalog) -> dict[str, list[ContextValue]]:
    """The values to draw for each context feature of the catalog.

    A text that no local model knows is left out: every value of it would be unseen.
    """
    seen = list(_seen(catalog))
    values: dict[str, list[ContextValue]] = {}
    for name, kind in catalog.context.items():
        if kind == "boolean":
            values[name] = [False, True]
        elif kind == "text":
            values[name] = sorted({text for feature, texts, _ in seen if feature == name for text in texts})
        else:
            ranges = [found for feature, _, found in seen if feature == name and found] or [UNKNOWN_RANGE]
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
            values[name] = [round(float(value), 6) for value in np.linspace(low, high, VALUES)]
    return {name: found for name, found in values.items() if found}


def _seen(catalog: Catalog) -> Iterator[tuple[str, list[str], tuple[float, float] | None]]:
    """The texts and the range of each feature of each model file on this machine."""
    for path in {model.uri for version in catalog.versions.values() for model in version.models}:
        try:
            header, columns = read_header(Path(path)), read_columns(Path(path))
        except BadModel:  # on S3, or not on this machine
            continue
        for column in columns:
            texts = [value for value in header.categories.get(column.name, ()) if isinstance(value, str)]
            yield column.name, texts, column.ends
