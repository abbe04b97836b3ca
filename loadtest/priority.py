"""The CPU before everybody else, as far as the system grants it: a schedule is kept by who gets it in time."""

from __future__ import annotations

import contextlib
import os

NICENESS = -10


def raised() -> str:
    """Raises this process's priority; says what was granted."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        return "real-time"
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        return f"niceness {NICENESS}"
    return "ordinary"
