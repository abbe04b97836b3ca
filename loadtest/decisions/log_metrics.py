"""The state of the decision log in the metrics of a supervisor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from loadtest.measurement import meters


@dataclass(frozen=True, slots=True)
class LogState:
    """The records that were written and dropped, and the memory of those that wait."""

    written: float = 0.0
    dropped: float = 0.0
    buffered_bytes: float = 0.0


async def read_log_state(metrics_address: str) -> LogState:
    """Reads the metrics of the log."""
    return log_state_in(await asyncio.to_thread(meters.scrape, f"http://{metrics_address}/metrics"))


def log_state_in(exposition: str) -> LogState:
    """Returns the state in the text of a scrape."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    names = ("mesh_decisions_total", "mesh_decisions_dropped_total", "mesh_decisions_buffered_bytes")
    return LogState(*(sums.get(name, 0.0) for name in names))
