"""`mesh up` follows its catalogs: it starts and replaces workers, and ends those that the supervisor no longer asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import CatalogFile, digest_of, unchangeable
from mesh.cli.metrics_page import Page, fetch
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.lanes import lanes_up
from mesh.cli.up.plan import replicas_of
from mesh.errors import Misconfigured, Unavailable

_POLL_S = 0.1
# The supervisor keeps the lanes of the catalog before for the longest budget and 1 s.
_SLACK_S = 2.0


class Following:
    """Follows the catalogs of `fleet`, by file; `replicas` workers serve each model."""

    def __init__(self, fleet: Fleet, catalogs: Mapping[Path, Catalog], replicas: int) -> None:
        self._fleet = fleet
        self._catalogs = dict(catalogs)
        self._replicas = replicas
        self._longest_s = 0.0

    async def run(self) -> None:
        """Follows the catalogs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for path in self._catalogs:
                group.create_task(self._follow(path, CatalogFile(path.absolute(), None, None)))
            group.create_task(self._retire_replaced())

    async def _follow(self, path: Path, file: CatalogFile) -> None:
        """Reacts to the same changes as the supervisor: a catalog with faults, or for another game, changes nothing."""
        is_first_look = True  # it reads the file, which may have changed while the mesh started
        async for change in file.watch():
            is_known = is_first_look and change == self._catalogs[path]
            is_first_look = False
            if isinstance(change, Misconfigured) or is_known or unchangeable(self._catalogs[path], change):
                continue
            self._longest_s = max(self._longest_s, self._catalogs[path].budget_ms / 1000)
            self._catalogs[path] = change
            self._fleet.write_inputs([change])
            self._fleet.follow(list(replicas_of(list(self._catalogs.values()), self._replicas)))

    async def _retire_replaced(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            if not self._fleet.workers.superseded or self._fleet.supervisor.ready is None:
                continue
            try:
                page = await asyncio.to_thread(fetch, self._fleet.supervisor.ready["metrics"])
            except Unavailable:
                continue
            replaced = [
                worker
                for worker in self._fleet.workers.replaced(lanes_up(page))
                if self._is_in_force(worker.replica.game, page)
            ]
            if replaced:
                self._fleet.retire(replaced, self._longest_s + _SLACK_S)

    def _is_in_force(self, game: str, page: Page) -> bool:
        digest = next(digest_of(one) for one in self._catalogs.values() if one.game == game)
        return page.total("mesh_catalog_in_force", game=game, digest=digest) == 1
