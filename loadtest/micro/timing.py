"""Times calls that take microseconds."""

from __future__ import annotations

import timeit
from collections.abc import Callable

REPEATS = 7


def best_us(call: Callable[[], object], before: Callable[[], object] = lambda: None, *, calls: int = 2_000) -> float:
    """Returns the microseconds of a call in the best of `REPEATS` runs of `calls`; `before` is called before each."""
    return min(timeit.repeat(call, before, number=calls, repeat=REPEATS)) / calls * 1e6
