"""The CPU of a replica that rests between its messages: caches are cold, and the CPU and its threads must wake up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from autoscaling.capacity_profile import Pause
from loadtest.capacity.worker import Matrix, Stream, Worker
from loadtest.measurement import meters

PAUSES_S = (0.001, 0.003, 0.01, 0.03)  # means; after 0.03 s, a longer pause hardly costs more
MESSAGES = 100  # per pause; the CPU time of a message varies by a third
REST_S = 1.0  # after the start, before the idle CPU is measured


async def idle_cores(worker: Worker, seconds: float) -> float:
    """The CPU of a worker without messages, in cores."""
    await asyncio.sleep(REST_S)
    before_s, began_s = meters.cpu_s([worker.pid]), time.monotonic()
    await asyncio.sleep(seconds)
    return (meters.cpu_s([worker.pid]) - before_s) / (time.monotonic() - began_s)


async def paused(worker: Worker, model: str, rows: Matrix, mean_s: float, progress: Callable[[str], None]) -> Pause:
    """The CPU of a message of `rows` [rows, features] that follows a reply after an exponential pause of `mean_s`."""
    stream = Stream(worker, model)
    message = stream.message(np.ascontiguousarray(rows))
    waits_s = np.random.default_rng(0).exponential(mean_s, MESSAGES).tolist()
    await stream.send(message)
    await stream.predict_ms()
    before_s, paused_s = meters.cpu_s([worker.pid]), 0.0
    for wait_s in waits_s:
        began_s = time.monotonic()
        await asyncio.sleep(wait_s)
        paused_s += time.monotonic() - began_s  # a timer is late by up to 1 ms
        await stream.send(message)
        await stream.predict_ms()
    cpu_us = (meters.cpu_s([worker.pid]) - before_s) / MESSAGES * 1e6
    await stream.close()
    pause_ms = paused_s / MESSAGES * 1e3
    progress(f"{model}: a message after a pause of {pause_ms:.1f} ms: {cpu_us:.0f} us of CPU")
    return Pause(pause_ms=pause_ms, cpu_us=cpu_us)
