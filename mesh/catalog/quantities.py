"""Exact arithmetic with Kubernetes quantities, such as `500m`, `20` and `1Gi`.

Source: apimachinery/pkg/api/resource/quantity.go
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
_POWERS_OF_TEN = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_POWERS_OF_1024 = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_SUFFIXES = ("", "k", "M", "G", "T", "P", "E")


def number(text: str) -> Fraction | None:
    """Returns the value of `text`; None if it is not a quantity."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    value, suffix = Fraction(found[1].rstrip(".")), found[2] or ""
    if suffix in _POWERS_OF_1024:
        return value * (1 << 10 * _POWERS_OF_1024[suffix])
    return value * Fraction(f"1e{_POWERS_OF_TEN.get(suffix) or int(suffix[1:] or 0)}")


def milli(text: str) -> int:
    """Returns thousandths, rounded up, like `MilliValue`; raises ValueError if `text` is not a quantity."""
    return math.ceil(_number(text) * 1000)


def approximate(text: str) -> float:
    """Returns the value like `AsApproximateFloat64`: mantissa of the canonical form times a power of ten, in floats.

    Raises ValueError if `text` is not a quantity.
    """
    exact, exponent = _number(text), 0
    while exact.denominator != 1 and exponent > -9:
        exact, exponent = exact * 1000, exponent - 3
    # Kubernetes rounds values finer than nano up when it parses them.
    mantissa = math.ceil(exact)
    return float(mantissa) if exponent == 0 else mantissa * float(f"1e{exponent}")


def of_milli(value_m: int) -> str:
    """Returns `value_m` thousandths in canonical form: with the largest decimal suffix that leaves no fraction."""
    if value_m % 1000:
        return f"{value_m}m"
    value, place = value_m // 1000, 0
    while value and value % 1000 == 0 and place < len(_DECIMAL_SUFFIXES) - 1:
        value, place = value // 1000, place + 1
    return f"{value}{_DECIMAL_SUFFIXES[place]}"


def _number(text: str) -> Fraction:
    found = number(text)
    if found is None:
        raise ValueError(f"{text!r} is not a quantity")
    return found
