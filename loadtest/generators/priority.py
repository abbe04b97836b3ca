"""Raises the CPU priority of this process, so that it can keep a schedule on a busy machine."""

from __future__ import annotations

import contextlib
import os

NICENESS = -10
ORDINARY = "ordinary"


def raised() -> str:
    """Requests real-time priority, else a negative niceness; returns the priority that the system granted."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        return "real-time"
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        return f"niceness {NICENESS}"
    return ORDINARY
