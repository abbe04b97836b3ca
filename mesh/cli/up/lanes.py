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
    return _ready_workers(fleet) <= _lanes_up(page)


def _ready_workers(fleet: Fleet) -> LaneCounts:
    """The number of ready workers of each model."""
    ready = (replica for replica, child in fleet.workers.items() if child.state == "ready")
    return Counter((replica.game, replica.version, replica.model.name) for replica in ready)


def _lanes_up(page: Page) -> LaneCounts:
    """The number of lanes of each model that are up."""
    lanes: LaneCounts = Counter()
    for sample in page.find("mesh_lanes", state="up"):
        labels = sample.labels
        lanes[labels["game"], labels["version"], labels["model"]] += int(sample.value)
    return lanes
