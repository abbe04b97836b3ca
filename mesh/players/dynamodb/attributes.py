"""Converts DynamoDB attribute values, such as {"N": "1.5"}, from and to numbers and texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Item: TypeAlias = Mapping[str, Mapping[str, Any]]  # {"player_id": {"S": "p1"}, "level": {"N": "7"}}

MAX_KEY_BYTES = 2048
# The range of the type N, besides 0 (Amazon DynamoDB Developer Guide, "Data types").
SMALLEST_N, LARGEST_N = 1e-130, 9.99e125


class WrongItem(Exception):
    """An item does not match the catalog; the text names the feature."""


def number(name: str, value: Mapping[str, Any] | None) -> float:
    """Returns the number of an N or BOOL attribute; NaN if it is missing or NULL. Raises WrongItem for other types."""
    if value is None or "NULL" in value:
        return math.nan
    if "N" in value:
        return float(value["N"])
    if "BOOL" in value:
        return float(value["BOOL"])
    raise WrongItem(f"{name!r} is of type {_kind(value)}, but the column is a number")


def numbers(names: Sequence[str], item: Item) -> list[float]:
    """Returns the numbers of several attributes, in the order of `names`; raises WrongItem like `number`."""
    get = item.get
    try:  # the fast path: no call per value
        return [math.nan if (value := get(name)) is None else float(value["N"]) for name in names]
    except KeyError:
        return [number(name, item.get(name)) for name in names]


def text(name: str, value: Mapping[str, Any] | None) -> str | None:
    """Returns the text of an S attribute; None if it is missing or NULL. Raises WrongItem for other types."""
    if value is None or "NULL" in value:
        return None
    if "S" not in value:
        raise WrongItem(f"{name!r} is of type {_kind(value)}, but the column is text")
    return str(value["S"])


def as_number(name: str, value: float) -> dict[str, str]:
    """Returns the N attribute of a finite number; raises WrongItem if it is out of range."""
    if value and not SMALLEST_N <= abs(value) <= LARGEST_N:
        raise WrongItem(f"{name!r} is {value!r}, but DynamoDB stores {SMALLEST_N} to {LARGEST_N}; use layout packed")
    return {"N": repr(value)}


def _kind(value: Mapping[str, Any]) -> str:
    return ", ".join(value) or "none"
