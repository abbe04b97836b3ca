"""DynamoDB's attribute values as they come over the wire, {"N": "1.5"}: read to numbers and texts, and written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Item: TypeAlias = Mapping[str, Mapping[str, Any]]  # {"player_id": {"S": "p1"}, "level": {"N": "7"}}

MAX_KEY_BYTES = 2048
# What the type N can hold, besides 0 (Amazon DynamoDB Developer Guide, "Data types").
SMALLEST_N, LARGEST_N = 1e-130, 9.99e125


class WrongItem(Exception):
    """An item that is not what the catalog says; the sentence names the feature."""


def number(name: str, value: Mapping[str, Any] | None) -> float:
    """The number of an attribute: N, BOOL as 0 or 1, NaN where there is none or NULL. Raises WrongItem for others."""
    if value is None or "NULL" in value:
        return math.nan
    if "N" in value:
        return float(value["N"])
    if "BOOL" in value:
        return float(value["BOOL"])
    raise WrongItem(f"{name!r} is of type {_kind(value)}, and the columns say number")


def numbers(names: Sequence[str], item: Item) -> list[float]:
    """The numbers of many attributes, in the order of `names`; raises WrongItem as `number` does."""
    get = item.get
    try:  # the common case without a call for each value
        return [math.nan if (value := get(name)) is None else float(value["N"]) for name in names]
    except KeyError:
        return [number(name, item.get(name)) for name in names]


def text(name: str, value: Mapping[str, Any] | None) -> str | None:
    """The text of an attribute; None where there is none, NULL or empty. Raises WrongItem for other types."""
    if value is None or "NULL" in value:
        return None
    if "S" not in value:
        raise WrongItem(f"{name!r} is of type {_kind(value)}, and the columns say text")
    return str(value["S"]) or None


def as_number(name: str, value: float) -> dict[str, str]:
    """The attribute of a finite number; raises WrongItem for one that the type N cannot hold."""
    if value and not SMALLEST_N <= abs(value) <= LARGEST_N:
        raise WrongItem(f"{name!r} is {value!r}, and DynamoDB holds {SMALLEST_N} to {LARGEST_N}; use layout packed")
    return {"N": repr(value)}


def _kind(value: Mapping[str, Any]) -> str:
    return ", ".join(value) or "none"
