"""The machine that is measured on: what it is, and whether it has anything else to do."""

from __future__ import annotations

import asyncio
import os
import platform
import re
from pathlib import Path

QUIET_SHARE = 0.1
LOOK_S = 1.0
CPU_MODEL = re.compile(r"^model name\s*: (.+)$", re.MULTILINE)


def described() -> str:
    """One line: cores, their model, system and Python."""
    found = CPU_MODEL.search(Path("/proc/cpuinfo").read_text())
    model = found[1] if found else platform.machine()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {model}, {system}"


async def busy_share() -> float:
    """The share of all cores' time that was used within the next second, 0 to 1 (proc(5), /proc/stat)."""
    idle_before, total_before = _ticks()
    await asyncio.sleep(LOOK_S)
    idle, total = _ticks()
    return 1.0 - (idle - idle_before) / max(1, total - total_before)


def _ticks() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)
