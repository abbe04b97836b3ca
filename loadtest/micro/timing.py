"""Times calls that take microseconds."""

from __future__ import annotations

import timeit
from collections.abc import Callable


def best_us(
    call: Callable[[], object],
    before: Callable[[], object] = lambda: None,
    *,
    calls: int = 2_000,
    repeats: int = 5,
) -> float:
    """Returns the microseconds of a call in the best of `repeats` runs of `calls`; `before` is called before each."""
    return min(timeit.repeat(call, before, number=calls, repeat=repeats)) / calls * 1e6
