"""Virtual time: an event loop whose clock jumps to the next timer, so that tests of waiting take no time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

START_S = 1000.0
TICK_S = 1e-7  # a real clock is always a little late for a timer
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never sleeps: if no callback is ready, the time becomes that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def time(self) -> float:
        """Returns the virtual time, in seconds."""
        return self.now_s

    def _run_once(self) -> None:
        loop: Any = self  # private attributes of asyncio, which every loop on top of it uses
        if not loop._ready:
            if not loop._scheduled:
                raise AssertionError("every task waits, and no timer is set: the test would hang")
            self.now_s = max(self.now_s, loop._scheduled[0].when()) + TICK_S
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Runs `main` on a new loop with a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[_Parameters, Coroutine[Any, Any, None]]) -> Callable[_Parameters, None]:
    """Decorates an async test: runs it on a new loop with a virtual clock. Under `given`, each example has its own."""

    @functools.wraps(test)
    def run_test(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        run(test(*args, **kwargs))

    return run_test


def now_s() -> float:
    """Returns the time of the running loop."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Runs every callback that is ready."""
    for _ in range(20):
        await asyncio.sleep(0)
