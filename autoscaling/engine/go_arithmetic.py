"""Go's arithmetic on amd64, for the cases in which it differs from Python's.

Source: Go's specification, "Conversions between numeric types" and "Integer operators". For a value out of range the
instruction CVTTSD2SL / CVTTSD2SQ returns the lowest integer, and so does the compiled controller.
"""

from __future__ import annotations

import math

MAX_INT32, MAX_INT64 = 2**31 - 1, 2**63 - 1


def ceil_int32(value: float) -> int:
    """Returns `int32(math.Ceil(value))`."""
    if -2147483649.0 < value <= 2147483647.0:  # False for NaN
        return math.ceil(value)
    return -(2**31)


def ceil_int64(value: float) -> int:
    """Returns `int64(math.Ceil(value))`."""
    if -9223372036854775808.0 <= value < 9223372036854775808.0:
        return math.ceil(value)
    return -(2**63)


def truncated_int32(value: float) -> int:
    """Returns `int32(value)` of a float: rounds towards zero."""
    if -2147483649.0 < value < 2147483648.0:
        return int(value)
    return -(2**31)


def wrapped_int32(value: int) -> int:
    """Returns `int32(value)` of an integer: its low 32 bits."""
    return (value + 2**31) % 2**32 - 2**31


def wrapped_int64(value: int) -> int:
    """Returns the sum of int64 integers whose exact value is `value`: its low 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


def quotient(dividend: int, divisor: int) -> int:
    """Returns `dividend / divisor` of integers, rounded towards zero; Python's `//` rounds down."""
    found = abs(dividend) // abs(divisor)
    return found if (dividend < 0) == (divisor < 0) else -found


def ratio(dividend: float, divisor: float) -> float:
    """Returns `dividend / divisor` of floats, by IEEE 754 if the divisor is 0."""
    if divisor != 0:
        return float(dividend) / float(divisor)
    return math.nan if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend)
