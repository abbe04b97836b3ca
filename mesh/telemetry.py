"""Latency buckets and event-loop lag of both services."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Histogram

LATENCY_BUCKETS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
    0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0,
)  # fmt: skip
LAG_PROBE_S = 0.25


async def watch_loop_lag(lag: Histogram) -> None:
    """Records the delay of event-loop timers in seconds, until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LAG_PROBE_S
        await asyncio.sleep(LAG_PROBE_S)
        lag.observe(max(0.0, loop.time() - due_s))
