"""Whether the supervisor has found the workers: read from its metrics page."""

from __future__ import annotations

import asyncio
from collections import Counter

from mesh.cli.metrics_page import Page, fetch
from mesh.cli.up.fleet import Fleet
from mesh.errors import Unavailable

_POLL_S = 0.1

Lanes = Counter[tuple[str, str, str]]


async def lanes_are_up(fleet: Fleet) -> None:
    """Returns when the supervisor has a lane to every worker that is ready now."""
    while True:
        if await _are_up(fleet):
            return
        await asyncio.sleep(_POLL_S)


async def _are_up(fleet: Fleet) -> bool:
    if fleet.supervisor.ready is None:
        return False
    try:
        page = await asyncio.to_thread(fetch, fleet.supervisor.ready["metrics"])
    except Unavailable:
        return False
    return lanes_of_ready_workers(fleet) <= lanes_up(page)


def lanes_of_ready_workers(fleet: Fleet) -> Lanes:
    """How many lanes each model should have."""
    ready = (seat for seat, child in fleet.workers.items() if child.state == "ready")
    return Counter((seat.game, seat.version, seat.model.name) for seat in ready)


def lanes_up(page: Page) -> Lanes:
    """How many lanes each model has that are up."""
    lanes: Lanes = Counter()
    for sample in page.find("mesh_lanes", state="up"):
        labels = sample.labels
        lanes[labels["game"], labels["version"], labels["model"]] += int(sample.value)
    return lanes
