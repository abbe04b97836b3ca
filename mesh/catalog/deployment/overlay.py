"""Merges the levels of settings: a model overrides its version, its version the game, and the game the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

_Block = TypeVar("_Block", bound=BaseModel)


def overlay(kind: type[_Block], *levels: _Block) -> _Block:
    """Returns the effective values: each of `levels` overrides the previous ones, and all override the defaults.

    A list replaces the whole list of the lower level.
    """
    merged: Any = kind().model_dump(by_alias=True, exclude_none=True)
    fields = set(kind.model_fields)
    for level in levels:
        merged = merge(merged, level.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, include=fields))
    return kind.model_validate(merged)


def merge(base: Any, override: Any) -> Any:
    """Returns `base` with the values of `override`: merges mappings key by key, replaces everything else."""
    if not isinstance(base, Mapping) or not isinstance(override, Mapping):
        return override
    return {**base, **{key: merge(base.get(key), value) for key, value in override.items()}}


def subtract(override: Any, base: Any) -> Any:
    """Returns the part of `override` that differs from `base`: merged into `base`, both give the same result."""
    if not isinstance(base, Mapping) or not isinstance(override, Mapping):
        return override
    differing = {key: value for key, value in override.items() if key not in base or value != base[key]}
    return {key: subtract(value, base.get(key)) for key, value in differing.items()}
