"""Values laid over values: the defaults at the bottom, then the game's, a version's, a model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

Kind = TypeVar("Kind", bound=BaseModel)


def laid_over(kind: type[Kind], *levels: Kind) -> Kind:
    """The values of `levels`, each over the one before it, all over the defaults; a list is replaced whole."""
    merged: Any = kind().model_dump(by_alias=True, exclude_none=True)
    fields = set(kind.model_fields)
    for level in levels:
        merged = merge(merged, level.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, include=fields))
    return kind.model_validate(merged)


def merge(under: Any, over: Any) -> Any:
    """`over` laid over `under`: mappings key by key, anything else replaced."""
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    return {**under, **{key: merge(under.get(key), value) for key, value in over.items()}}


def without(over: Any, under: Any) -> Any:
    """What of `over` must be said where `under` is said already: `merge` of both is `over` again."""
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    differing = {key: value for key, value in over.items() if key not in under or value != under[key]}
    return {key: without(value, under.get(key)) for key, value in differing.items()}
