"""The speed of an attack: the bytes and the writes per second of all its connections, and the share of a CPU it takes.

At full speed, an attacker on the machine of the attacked process takes its CPU: then the scheduler is measured, not the
input. A real attacker has a machine of its own, and its network limits it.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

NICENESS = 19
_AUTOGROUP = Path("/proc/self/autogroup")


class Speed:
    """Allows `bytes_per_s` and `writes_per_s`."""

    def __init__(self, bytes_per_s: float, writes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._writes_per_s = writes_per_s
        self._next_s = 0.0

    async def take(self, size: int) -> None:
        """Waits until a write of `size` bytes is allowed."""
        now_s = time.monotonic()
        wait_s = self._next_s - now_s
        self._next_s = max(self._next_s, now_s) + max(size / self._bytes_per_s, 1 / self._writes_per_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)


_speed: Speed | None = None


def limit(bytes_per_s: float, writes_per_s: float) -> None:
    """Limits this process from now on."""
    global _speed
    _speed = Speed(bytes_per_s, writes_per_s)


async def take(size: int) -> None:
    """Waits until this process may write `size` bytes."""
    if _speed is not None:
        await _speed.take(size)


def yield_cpu() -> None:
    """Gives this process the lowest priority, also beside other sessions (autogroup in sched(7))."""
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    if _AUTOGROUP.exists() and os.getsid(0) == os.getpid():  # in the session of others, it would slow them down
        _AUTOGROUP.write_text(str(NICENESS))


def burn(share: float, seconds: float) -> None:
    """Uses `share` of a CPU for `seconds`, as an attack does that sends nothing."""
    slice_s = 0.02
    end_s = time.monotonic() + seconds
    while (now_s := time.monotonic()) < end_s:
        until_s = time.process_time() + share * slice_s
        while time.process_time() < until_s and time.monotonic() < end_s:
            pass
        time.sleep(max(0.0, now_s + slice_s - time.monotonic()))
