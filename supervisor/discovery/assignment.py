"""Assigns the discovered replicas to the model pools."""

from __future__ import annotations

from supervisor.discovery.port import Discovery
from supervisor.live_games import LiveGames


async def assign_replicas(discovery: Discovery, games: LiveGames) -> None:
    """Assigns its replicas to every model's pool after each change, until cancelled."""
    async for endpoints in discovery.watch():
        games.assign(endpoints)
