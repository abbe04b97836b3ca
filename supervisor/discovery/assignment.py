"""Which way of discovery the command line asks for, and what is done with what it tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from mesh.catalog.catalog import Catalog
from supervisor.discovery.dns import HeadlessServices
from supervisor.discovery.file import EndpointsFile
from supervisor.discovery.port import Discovery
from supervisor.game import Game
from supervisor.settings import Settings


def open_discovery(settings: Settings, catalogs: Sequence[Catalog]) -> Discovery | None:
    """The one that `settings` name, or none; raises Misconfigured when it cannot work here."""
    if settings.endpoints is not None:
        return EndpointsFile(settings.endpoints)
    if settings.dns is not None:
        return HeadlessServices([model for catalog in catalogs for model in _models(catalog)], settings.dns)
    if settings.endpoint_slices is None:
        return None
    from supervisor.discovery.endpoint_slices import EndpointSlices  # aiohttp, which only this way needs
    from supervisor.discovery.service_account import read_service_account

    account = read_service_account(settings.endpoint_slices, os.environ)
    return EndpointSlices(account, [catalog.game for catalog in catalogs])


async def follow(discovery: Discovery, games: Mapping[str, Game]) -> None:
    """Tells every model's pool of its replicas, for ever."""
    async for endpoints in discovery.watch():
        for name, game in games.items():
            for version, ensemble in game.ensembles.items():
                for pool in ensemble.panel.pools:
                    pool.assign(endpoints.of(name, version, pool.model.name))


def _models(catalog: Catalog) -> list[tuple[str, str, str]]:
    return [(catalog.game, name, model.name) for name, version in catalog.versions.items() for model in version.models]
