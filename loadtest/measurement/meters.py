"""Meters: CPU time and memory of a process from the kernel, cohorts from the metrics of the mesh."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from loadtest.errors import CannotMeasure

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SCRAPE_BUDGET_S = 5.0


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The number of cohorts that have departed, and the number of requests in them."""

    departed: float
    requests: float


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of processes since they started, summed; precise to the nanosecond."""
    return sum(_cpu_s(pid) for pid in pids)


def ended_children_cpu_s(pid: int) -> float:
    """User and system time of the ended children of a process (proc(5), /proc/pid/stat 16 and 17)."""
    return sum(_stat(pid)[13:15]) / TICKS_PER_S


def children(pid: int) -> tuple[int, ...]:
    """The child processes of a process."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(CannotMeasure):  # it has ended in the meantime
                if _stat(int(folder.name))[1] == pid:
                    found.append(int(folder.name))
    return tuple(found)


def pss_mb(pid: int) -> float:
    """The proportional set size of a process, in MiB (proc(5), smaps_rollup)."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise CannotMeasure(f"process {pid} has no Pss line in smaps_rollup")


async def cohorts(metrics_address: str) -> Cohorts:
    """Reads the supervisor's histogram `mesh_cohort_requests`, summed over all games and versions."""
    text = await asyncio.to_thread(scrape, f"http://{metrics_address}/metrics")
    return cohorts_in(text)


def cohorts_in(exposition: str) -> Cohorts:
    """The cohorts in the text of a scrape."""
    samples = [
        sample
        for family in text_string_to_metric_families(exposition)
        if family.name == "mesh_cohort_requests"
        for sample in family.samples
    ]
    return Cohorts(
        departed=sum(sample.value for sample in samples if sample.name.endswith("_count")),
        requests=sum(sample.value for sample in samples if sample.name.endswith("_sum")),
    )


def scrape(url: str) -> str:
    """The text at `url`; raises CannotMeasure if it does not arrive in time."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_BUDGET_S) as response:
            return str(response.read().decode())
    except OSError as error:
        raise CannotMeasure(f"{url} does not respond: {error}") from error


def _cpu_s(pid: int) -> float:
    # The CPU clock of a process, as clock_getcpuclockid(3) makes it: /proc/pid/stat counts in ticks of 10 ms.
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError as error:
        raise CannotMeasure(f"process {pid} has ended: {error}") from error


def _stat(pid: int) -> list[int]:
    # The second field is the command's name in brackets; it may contain spaces and brackets. The third is a letter.
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return [0, *(int(field) for field in fields[1:])]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError as error:
        raise CannotMeasure(f"process {pid} has ended: {error}") from error
