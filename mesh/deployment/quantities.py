"""Kubernetes' quantities as numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
_POWERS_OF_TEN = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_POWERS_OF_1024 = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def number(value: Any) -> Any:
    """What a quantity is as a number: `500m` and `0.5` are the same; anything else as it is."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return value
    digits, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _POWERS_OF_1024:
        return digits * 1024 ** _POWERS_OF_1024[suffix]
    return digits.scaleb(_POWERS_OF_TEN.get(suffix) or int(suffix[1:] or 0))
