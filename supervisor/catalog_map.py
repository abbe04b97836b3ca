"""Follows the catalog in a ConfigMap through the API server, and the table of offers that the catalog names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from mesh.catalog.catalog import Catalog, read
from mesh.catalog.catalog_file import POLL_S, FileIdentity, examine, identity_of, offers_path
from mesh.errors import Misconfigured
from mesh.roots import Roots
from supervisor.discovery.config_map import ConfigMapText
from supervisor.start_catalogs import text_of


class CatalogMap:
    """The catalog in the ConfigMap `pointed`, of which `known` with its `text` is in force; None if an earlier one is.

    `path` is the mounted copy of the ConfigMap. The kubelet updates it after up to a minute, so that it counts only if
    it changes while the API server cannot be reached. Relative paths in the catalog start at `folder`.
    """

    def __init__(
        self,
        pointed: ConfigMapText,
        path: Path,
        folder: Path | Roots,
        known: Catalog | None,
        text: str | None,
        poll_s: float = POLL_S,
    ) -> None:
        self._pointed = pointed
        self._path = path
        self._folder = folder
        self._poll_s = poll_s
        self._mounted: FileIdentity | None = None  # so that the first look reads the file
        self._text = self._known = text
        self._offers = None if known is None else offers_path(known.offers)
        self._known_offers = self._offers_identity()

    async def watch(self) -> AsyncIterator[Catalog | Misconfigured]:
        """Yields the catalog, or its faults, after each change, without end, while `pointed.keep` runs."""
        offers = self._known_offers
        while True:
            await self._change_or_pause()
            self._look()
            before, offers = offers, self._offers_identity()
            table_changed = offers != self._known_offers and offers == before  # and its writer has finished
            if self._text is not None and (self._text != self._known or table_changed):
                yield await asyncio.to_thread(self._load, self._text)

    async def _change_or_pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._pointed.changed.wait()
        self._pointed.changed.clear()

    def _look(self) -> None:
        """Takes the newest text: that of the API server or, while it cannot be reached, that of a changed file."""
        mounted = identity_of(self._path)
        if self._pointed.is_current:
            self._text = self._pointed.text
        elif mounted is not None and mounted != self._mounted:
            with contextlib.suppress(Misconfigured):
                self._text = text_of(self._path)
        self._mounted = mounted

    def _load(self, text: str) -> Catalog | Misconfigured:
        """Reads the catalog. From here on, its table is watched, also if the table is missing or has faults."""
        name = Path("configmap", self._pointed.name)
        self._known = text
        with contextlib.suppress(Misconfigured):  # reported below
            self._offers = offers_path(read(name, self._folder, text).offers)
        self._known_offers = self._offers_identity()
        return examine(name, self._folder, text)

    def _offers_identity(self) -> FileIdentity | None:
        return None if self._offers is None else identity_of(self._offers)
