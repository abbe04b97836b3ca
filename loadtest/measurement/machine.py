"""The machine: its description, and the CPU that other programs use."""

from __future__ import annotations

import asyncio
import os
import platform
import re
from pathlib import Path

QUIET_SHARE = 0.1
OBSERVE_S = 1.0
CPU_MODEL = re.compile(r"^model name\s*: (.+)$", re.MULTILINE)


def described() -> str:
    """One line: the number and the model of the cores, the system, and the version of Python."""
    found = CPU_MODEL.search(Path("/proc/cpuinfo").read_text())
    model = found[1] if found else platform.machine()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {model}, {system}"


async def busy_share(seconds: float = OBSERVE_S) -> float:
    """The used share of the time of all cores in the next `seconds`, 0 to 1 (proc(5), /proc/stat)."""
    idle_before, total_before = _ticks()
    await asyncio.sleep(seconds)
    idle, total = _ticks()
    return 1.0 - (idle - idle_before) / max(1, total - total_before)


async def others_share(seconds: float = OBSERVE_S / 2, tries: int = 6) -> float:
    """The used share of the time of all cores while the caller sends nothing: the share of other programs.

    Observes at most `tries` times, until the machine is quiet, so that the end of earlier work does not count.
    """
    share = 1.0
    for _ in range(tries):
        share = min(share, await busy_share(seconds))
        if share <= QUIET_SHARE:
            break
    return share


def _ticks() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
