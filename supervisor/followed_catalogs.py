"""Opens the catalogs of a supervisor: those to start with, and the source of the changes of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import CatalogFile
from mesh.errors import Misconfigured
from supervisor.live_games import CatalogChanges
from supervisor.settings import Settings
from supervisor.start_catalogs import StartCatalog, load_start_catalogs, text_of

if TYPE_CHECKING:
    from supervisor.discovery.service_account import ServiceAccount


@dataclass(frozen=True, slots=True)
class FollowedCatalog:
    """A catalog to start with, and its changes. `keep` is background work that the changes need."""

    catalog: Catalog
    changes: CatalogChanges
    keep: Callable[[], Coroutine[Any, Any, None]] | None = None


async def open_catalogs(settings: Settings) -> list[FollowedCatalog]:
    """Reads all catalogs; the chart's last catalogs stand in for one with faults. Raises Misconfigured with all faults.

    The changes are reported from this moment on, so that none is lost while the stores are opened.
    """
    account = _account(settings)
    try:
        starts = load_start_catalogs(settings.catalogs, settings.roots)
    except Misconfigured:
        if account is None and settings.dns is None:  # not in a cluster
            raise
        from supervisor.earlier_catalogs import read_earlier

        earlier = {path: await read_earlier(path, account) for path in settings.catalogs}
        starts = load_start_catalogs(settings.catalogs, settings.roots, earlier)
    return [_followed(settings, path, start, account) for path, start in starts.items()]


def _account(settings: Settings) -> ServiceAccount | None:
    if settings.config_map is None or settings.endpoint_slices is None:
        return None
    from supervisor.discovery.service_account import read_service_account

    return read_service_account(settings.endpoint_slices, os.environ)


def _followed(settings: Settings, path: Path, start: StartCatalog, account: ServiceAccount | None) -> FollowedCatalog:
    known = None if start.faults else start.catalog
    if account is None or settings.config_map is None:
        changes = CatalogFile(path, settings.roots, known)
        if known is not None and _has_changed(path, start.text):
            changes = CatalogFile(path, settings.roots, None)
        return FollowedCatalog(start.catalog, changes)
    from supervisor.catalog_map import CatalogMap  # here, because only a supervisor in a cluster imports aiohttp
    from supervisor.discovery.config_map import ConfigMapText
    from supervisor.earlier_catalogs import KEY

    pointed = ConfigMapText(account, settings.config_map, KEY)
    text = None if start.faults else start.text
    return FollowedCatalog(
        start.catalog, CatalogMap(pointed, path, settings.roots or path.parent, known, text), pointed.keep
    )


def _has_changed(path: Path, text: str) -> bool:
    """Returns whether the file at `path` has changed since `text` was read from it."""
    try:
        return text_of(path) != text
    except Misconfigured:
        return True
