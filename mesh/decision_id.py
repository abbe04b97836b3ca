"""Decision ids: a UUIDv7 (RFC 9562, section 5.7) names each answer of a supervisor."""

from __future__ import annotations

import os
import time

_VERSION_7, _VARIANT = 0x7 << 76, 0b10 << 62
_RANDOM_BITS = ~(0xF << 76 | 0b11 << 62) & (1 << 80) - 1


def new_id() -> str:
    """Returns a new id. Ids sort by their time, to the millisecond; the other 74 bits are random."""
    return _id(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def time_ms(decision_id: str) -> int:
    """Returns the time of an id, in milliseconds since 1970. Raises ValueError if `decision_id` is not a UUIDv7."""
    digits = decision_id.replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        raise ValueError(f"{decision_id!r} is not a UUIDv7")
    return int(digits[:12], 16)


def _id(now_ms: int, bits: int) -> str:
    digits = f"{now_ms << 80 | bits & _RANDOM_BITS | _VERSION_7 | _VARIANT:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
