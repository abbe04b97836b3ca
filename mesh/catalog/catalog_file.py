"""Follows the catalog file of a game, and the table of offers that it names."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog, Offers, read
from mesh.errors import Misconfigured
from mesh.roots import Roots

# A file is read when it has not changed between two looks, so that a writer can finish.
POLL_S = 0.2
FileIdentity = tuple[int, int, int]
_Identity = tuple[FileIdentity | None, ...]
_log = logging.getLogger("mesh.catalog")


def load_catalog(path: Path, folder: Path | Roots | None = None, text: str | None = None) -> Catalog:
    """Reads the catalog at `path` and checks it with its files; relative paths start at `folder`, or at its own folder.

    If `text` is given, it is the catalog, and `path` only names it. The files of the models are not read: the replicas
    judge them, and a version whose models they refuse gets no players. Raises Misconfigured with all faults.
    """
    draft = read(path, folder, text)
    faults = (*draft.faults, *catalog_files.faults(draft, models_elsewhere=True))
    if faults or draft.catalog is None:
        raise Misconfigured([str(fault) for fault in faults])
    return draft.catalog


def digest_of(catalog: Catalog) -> str:
    """Returns a short digest of the values of a catalog; their order and the comments of the file do not count."""
    values = json.dumps(catalog.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(values.encode()).hexdigest()[:12]


def examine(path: Path, folder: Path | Roots | None = None, text: str | None = None) -> Catalog | Misconfigured:
    """Returns the catalog of `load_catalog`, or its faults; raises nothing."""
    try:
        return load_catalog(path, folder, text)
    except Misconfigured as error:
        return error
    except Exception as error:  # a bug in a check must not end the supervisor, which has a good catalog
        _log.exception("cannot check %s", path)
        return Misconfigured([f"{path}: cannot be checked: {error!r}"])


def unchangeable(before: Catalog, catalog: Catalog) -> list[str]:
    """Returns a fault for each part of the new `catalog` that a running mesh cannot change."""
    name, faults = before.game, []
    if catalog.game != name:
        faults.append(f"game: is {catalog.game!r}; a running supervisor serves {name!r}: restart it to change this")
    if catalog.features != before.features:
        faults.append("features: changed; restart the supervisor to use another store")
    if catalog.tls != before.tls:
        faults.append("tls: changed; restart the workers and the supervisor to use other names")
    return faults


class CatalogFile:
    """The catalog file at `path`, of which `known` is in force; None if another catalog is."""

    def __init__(self, path: Path, folder: Path | Roots | None, known: Catalog | None, poll_s: float = POLL_S) -> None:
        self._path = path
        self._folder = folder
        self._poll_s = poll_s
        self._offers = None if known is None else offers_path(known.offers)
        self._known = None if known is None else self._identity()

    async def watch(self) -> AsyncIterator[Catalog | Misconfigured]:
        """Yields the catalog, or its faults, after each change since this object was made, without end.

        A missing file changes nothing.
        """
        known = self._known
        while True:
            await asyncio.sleep(self._poll_s)
            identity = self._identity()
            if identity == known or identity[0] is None:
                continue
            await asyncio.sleep(self._poll_s)
            if self._identity() != identity:
                continue
            known, found = await asyncio.to_thread(self._load)
            yield found

    def _load(self) -> tuple[_Identity, Catalog | Misconfigured]:
        """Reads the catalog; returns it with the identity that its files had before, so that no later change is lost.

        From here on, the table that the catalog names is watched, also if the table is missing or has faults.
        """
        identity = self._identity()
        with contextlib.suppress(Misconfigured):  # reported below
            self._offers = offers_path(read(self._path, self._folder).offers)
            identity = self._identity()
        return identity, examine(self._path, self._folder)

    def _identity(self) -> _Identity:
        return tuple(identity_of(path) for path in (self._path, self._offers) if path is not None)


def offers_path(offers: Offers | None) -> Path | None:
    """Returns the path of the table of offers; None if there is none, or if it is in the catalog itself."""
    if offers is None or offers.path is None or offers.table is not None:
        return None
    return Path(offers.path)


def identity_of(path: Path) -> FileIdentity | None:
    """Returns a value that changes with the content of a file, without reading it; None if there is no file."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size
