"""Assigns the discovered replicas to the model pools."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.discovery.port import Discovery
from supervisor.game import Game


async def assign_replicas(discovery: Discovery, games: Mapping[str, Game]) -> None:
    """Assigns its replicas to every model's pool after each change, until cancelled."""
    async for endpoints in discovery.watch():
        for name, game in games.items():
            for version, ensemble in game.ensembles.items():
                for pool in ensemble.panel.pools:
                    pool.assign(endpoints.of(name, version, pool.model.name))
