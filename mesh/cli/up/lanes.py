"""Waits until the supervisor has lanes to the workers, according to its metrics."""

from __future__ import annotations

import asyncio
from collections import Counter

from mesh.cli.metrics_page import Page, fetch
from mesh.cli.up.fleet import Fleet
from mesh.errors import Unavailable

_POLL_S = 0.1

LaneCounts = Counter[tuple[str, str, str]]


async def lanes_are_up(fleet: Fleet) -> None:
    """Returns when the supervisor has a lane to every worker that is ready."""
    while not await _are_up(fleet):  # noqa: ASYNC110 (metrics have no event to wait for)
        await asyncio.sleep(_POLL_S)


async def _are_up(fleet: Fleet) -> bool:
    if fleet.supervisor.ready is None:
        return False
    try:
        page = await asyncio.to_thread(fetch, fleet.supervisor.ready["metrics"])
    except Unavailable:
        return False
    return _ready_workers(fleet) <= lanes_up(page)


def _ready_workers(fleet: Fleet) -> LaneCounts:
    """The number of ready workers of each model."""
    return Counter(worker.replica.model_key for worker in fleet.workers if worker.child.state == "ready")


def lanes_up(page: Page) -> LaneCounts:
    """Returns the number of lanes of each model that are up."""
    lanes: LaneCounts = Counter()
    for sample in page.find("mesh_lanes", state="up"):
        labels = sample.labels
        lanes[labels["game"], labels["version"], labels["model"]] += int(sample.value)
    return lanes
