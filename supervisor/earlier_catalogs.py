"""Reads the last catalogs of a game that the chart keeps, for a supervisor whose newest catalog has faults."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from mesh.errors import Misconfigured
from supervisor.discovery.config_map import read_text
from supervisor.discovery.kube_api import ApiFault, Gone
from supervisor.discovery.service_account import ServiceAccount
from supervisor.start_catalogs import EarlierCatalog, text_of

KEY = "mesh.yaml"  # of each ConfigMap with a catalog
HISTORY = "history"  # key of the ConfigMap that is followed: the names of the last catalogs, newest first
BESIDE = "before-*.yaml"  # files with the last catalogs, for a supervisor that may not read ConfigMaps
READ_S = 20.0  # for all earlier catalogs
_log = logging.getLogger("supervisor.catalog")


async def read_earlier(path: Path, account: ServiceAccount | None) -> list[EarlierCatalog]:
    """Returns the catalogs that the one at `path` has replaced, newest first.

    Their texts are files beside `path`, or ConfigMaps that `account` may read. Those that cannot be read are left out.
    """
    beside = [EarlierCatalog(one, text_of(one)) for one in sorted(path.parent.glob(BESIDE))]
    if account is None:
        return beside
    try:
        names = text_of(path.with_name(HISTORY)).split()
        async with asyncio.timeout(READ_S):
            read = [await _read_map(account, name) for name in names]
    except (Misconfigured, TimeoutError) as error:
        _log.error("the catalogs before %s cannot be read: %s", path, str(error) or "the API server does not respond")
        return beside
    return [one for one in read if one is not None] or beside


async def _read_map(account: ServiceAccount, name: str) -> EarlierCatalog | None:
    try:
        text = await read_text(account, name, KEY)
    except Gone:
        text = None
    except ApiFault as fault:
        _log.error("ConfigMap %s: cannot be read: %s", name, fault.reason)
        return None
    return None if text is None else EarlierCatalog(Path("configmap", name), text)
