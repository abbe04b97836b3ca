"""An event loop whose clock jumps to the next timer: tests of waits that take no time and hope for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

START_S = 1000.0
TICK_S = 1e-7  # a real clock is always a little late for a timer
_Result = TypeVar("_Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never sleeps: with nothing left to run, the time is that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self.now_s

    def _run_once(self) -> None:
        loop: Any = self  # private to asyncio, and what every such loop is built on
        if not loop._ready:
            if not loop._scheduled:
                raise AssertionError("everybody waits, and no timer is set: this would hang for ever")
            self.now_s = max(self.now_s, loop._scheduled[0].when()) + TICK_S
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Runs `main` on a loop of its own with a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Clock:
    """Stands in for the module `time`: the running loop's own clock."""

    @staticmethod
    def monotonic() -> float:
        """The loop's time, or its start outside of one."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return START_S


async def settle() -> None:
    """Lets everything run that can run now."""
    for _ in range(20):
        await asyncio.sleep(0)
