"""Overload: offers multiples of the knee, and measures the answers and the time until the mesh has recovered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from loadtest.measurement.latency import percentiles
from loadtest.measurement.meters import pss_mb
from loadtest.run.answers import Answer, class_of
from loadtest.run.measurement import Setting, ask_all
from loadtest.run.summary import Summary, summarise
from loadtest.simulated.service_times import Seconds

CONTROL = 0.8  # of the knee: before the overloads, and after each of them
FACTORS = (1.25, 1.6, 2.5, 5.0)
RECOVERY_S = 5.0
WINDOW_S = 0.5
# A window is like the control if its p99 is at most the first multiple of the control's plus the floor, and if at least
# this share of its answers is full.
LIKE_CONTROL, FLOOR_MS, FULL_SHARE = 1.5, 10.0, 0.95
MEMORY_EVERY_S = 0.5

Arrivals = Callable[[float, float], Seconds]  # of a rate and of a duration in seconds


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one offered rate, `factor` times the knee.

    `recovery_s` is the time until the mesh answers like the control again; None if it did not within `RECOVERY_S`, and
    for the control. `memory_mb` is the highest memory (PSS) of the supervisor; None without its process id.
    """

    factor: float
    summary: Summary
    recovery_s: float | None
    memory_mb: float | None


class Overload(NamedTuple):
    """How each overload is offered: `factors` of the knee, each for `seconds`, to the supervisor with process id `pid`.

    The process id is None if it is not known.
    """

    factors: Sequence[float]
    seconds: float
    arrivals: Arrivals
    pid: int | None


async def measure_connections(
    setting: Setting,
    counts: Sequence[int],
    knee_rps: float,
    overload: Overload,
    progress: Callable[[str], None],
) -> dict[int, list[Load]]:
    """Measures the control and every multiple of the knee, with each of these numbers of connections."""
    loads = {}
    for count in counts:
        progress(f"{count} connections")
        # A sender process has at least one connection.
        senders = replace(setting, connections=count, processes=min(count, setting.processes))
        loads[count] = await measure_overload(senders, knee_rps, overload, progress)
    return loads


async def measure_overload(
    setting: Setting, knee_rps: float, overload: Overload, progress: Callable[[str], None]
) -> list[Load]:
    """Measures the control and every multiple of the knee; after each multiple follows the rate of the control."""
    loads = [await _measure(setting, knee_rps, CONTROL, None, overload)]
    for factor in overload.factors:
        progress(f"{factor:g} times the knee: {factor * knee_rps:,.0f} per second")
        loads.append(await _measure(setting, knee_rps, factor, loads[0].summary.p99_ms, overload))
    return loads


async def _measure(
    setting: Setting, knee_rps: float, factor: float, control_p99_ms: float | None, overload: Overload
) -> Load:
    offsets_s = overload.arrivals(factor * knee_rps, overload.seconds)
    if control_p99_ms is not None:
        after_s = overload.seconds + overload.arrivals(CONTROL * knee_rps, RECOVERY_S)
        offsets_s = np.concatenate([offsets_s, after_s])
    async with _memory(overload.pid) as peak_mb:
        answers, generator = await ask_all(setting, offsets_s, float(offsets_s[-1]))
    offered = [answer for answer in answers if answer.due_s < overload.seconds]
    after = [answer for answer in answers if answer.due_s >= overload.seconds]
    deadline_ms = setting.question.deadline_ms
    classes = [class_of(answer, deadline_ms, is_wrong=False) for answer in offered]
    recovery = None if control_p99_ms is None else recovery_s(after, overload.seconds, control_p99_ms, deadline_ms)
    summary = summarise(offered, classes, overload.seconds, generator)
    return Load(factor, summary, recovery, max(peak_mb, default=None))


def recovery_s(after: Sequence[Answer], end_s: float, control_p99_ms: float, deadline_ms: float) -> float | None:
    """The time from the end of the overload to the start of the first window after which all are like the control.

    `after` are the requests due since the overload ended, at `end_s`. None if the last window is not like the control.
    """
    limit_ms = LIKE_CONTROL * control_p99_ms + FLOOR_MS
    windows: dict[int, list[Answer]] = {}
    for answer in after:
        windows.setdefault(int((answer.due_s - end_s) / WINDOW_S), []).append(answer)
    last_bad = max((n for n, answers in windows.items() if not _is_like(answers, limit_ms, deadline_ms)), default=-1)
    return (last_bad + 1) * WINDOW_S if windows and last_bad < max(windows) else None


def _is_like(answers: Sequence[Answer], limit_ms: float, deadline_ms: float) -> bool:
    full = sum(class_of(answer, deadline_ms, is_wrong=False) == "full" for answer in answers)
    (p99_ms,) = percentiles([answer.latency_ms for answer in answers], 99)
    return p99_ms <= limit_ms and full >= FULL_SHARE * len(answers)


@contextlib.asynccontextmanager
async def _memory(pid: int | None) -> AsyncIterator[list[float]]:
    """Reads the memory of a process while the block lasts."""
    found: list[float] = []

    async def read(process: int) -> None:
        while True:
            found.append(pss_mb(process))
            await asyncio.sleep(MEMORY_EVERY_S)

    reading = None if pid is None else asyncio.create_task(read(pid))
    try:
        yield found
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.wait((reading,))
    if reading is not None and not reading.cancelled():
        reading.result()  # raises CannotMeasure: the supervisor has ended
