"""Child processes that the worker needs at its start: they end in bounded time, and together with the worker.

Imports as little as possible: the child that tries a model imports this module.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, AnyStr

if TYPE_CHECKING:
    from subprocess import Popen

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9  # the module signal takes 6 ms to import, because of its enums


def read_output(child: Popen[AnyStr], timeout_s: float) -> tuple[AnyStr, bool]:
    """Waits for the end of `child`; returns its stdout, and whether it was killed after `timeout_s`."""
    from subprocess import TimeoutExpired

    try:
        return child.communicate(timeout=timeout_s)[0], False
    except TimeoutExpired:
        child.kill()
        return child.communicate()[0], True


def end_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
