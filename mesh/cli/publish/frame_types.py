"""The types of the columns of a training frame in a Parquet file, and the categories that they show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from mesh.catalog.sources import Sources, resolved
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader, with_categories
from mesh.players.features import Columns


def header_in(schema: pa.Schema, header: ModelHeader, where: Path) -> ModelHeader:
    """Returns `header` with its categories by column, as the types of a frame's columns show them.

    Raises Misconfigured, with the file `where`, if they do not.
    """
    if header.open_lists is None:
        return header
    kinds = {column.name: column.type for column in schema if column.name in header.feature_names}
    categorical = [name for name, kind in kinds.items() if pa.types.is_dictionary(kind)]
    try:
        return with_categories(header, categorical)
    except BadModel:
        texts = tuple(name for name, kind in kinds.items() if _is_text(kind))
        numbers = tuple(name for name in kinds if name not in texts)
        known = resolved(header, Sources(Columns(numbers, texts), {}, None))
    if known.open_lists is not None:
        problem = f"the list of pandas categories {known.open_lists}"
        raise Misconfigured([f"{where}: {problem}; save the frame with these columns as type category"])
    return known


def missing_columns(schema: pa.Schema, names: Iterable[str]) -> str:
    """Returns which of `names` are not columns, at most five of them, as a text for people; '' if all are."""
    missing = [name for name in names if name not in schema.names]
    return ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")


def wrong_type(schema: pa.Schema, name: str, where: Path) -> str | None:
    """Returns the fault of a column of the file `where` that models cannot score; None if it has none."""
    kind = schema.field(name).type
    if _is_usable(kind):
        return None
    return f"{where}: column {name!r} is of type {kind}; store numbers, booleans or texts"


def _is_usable(kind: pa.DataType) -> bool:
    """Whether a column has numbers, booleans, texts, or no values at all."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return _is_text(kind) or _is_number(kind) or bool(pa.types.is_boolean(kind) or pa.types.is_null(kind))


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
