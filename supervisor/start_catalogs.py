"""Loads the catalogs with which a supervisor starts: the newest ones, or earlier ones in place of those with faults."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.bounded_file import read_text
from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import load_catalog
from mesh.catalog.yaml_limits import MAX_BYTES
from mesh.errors import Misconfigured, unreadable
from mesh.roots import Roots

_log = logging.getLogger("supervisor.catalog")


@dataclass(frozen=True, slots=True)
class EarlierCatalog:
    """The text of a catalog that the one to start with has replaced; `name` is for messages."""

    name: Path
    text: str


@dataclass(frozen=True, slots=True)
class StartCatalog:
    """A catalog to start with. `faults` are those of the newest catalog, if this is an earlier one."""

    catalog: Catalog
    text: str
    faults: tuple[str, ...] = ()


def load_catalogs(paths: Sequence[Path], files: Path | Roots | None = None) -> Mapping[Path, Catalog]:
    """Reads every catalog, by path; its relative paths are relative to `files`, or to its own folder.

    Raises Misconfigured with the faults of all catalogs.
    """
    return {path: start.catalog for path, start in load_start_catalogs(paths, files).items()}


def load_start_catalogs(
    paths: Sequence[Path],
    files: Path | Roots | None = None,
    earlier: Mapping[Path, Sequence[EarlierCatalog]] | None = None,
) -> Mapping[Path, StartCatalog]:
    """As `load_catalogs`; in place of a catalog with faults, takes the first of its `earlier` ones that has none."""
    starts: dict[Path, StartCatalog] = {}
    faults: list[str] = []
    for path in paths:
        try:
            start = _first_good(path, files, (earlier or {}).get(path, ()))
        except Misconfigured as error:
            faults += error.faults
            continue
        game = start.catalog.game
        if game in {other.catalog.game for other in starts.values()}:
            faults.append(f"{path}: game {game!r} is in another catalog too; give each game one catalog")
        starts[path] = start
    if faults:
        raise Misconfigured(faults)
    return starts


def _first_good(path: Path, files: Path | Roots | None, earlier: Sequence[EarlierCatalog]) -> StartCatalog:
    folder = files or path.parent
    try:
        text = text_of(path)
        return StartCatalog(load_catalog(path, folder, text), text)
    except Misconfigured as error:
        faults = error.faults
    for one in earlier:
        try:
            catalog = load_catalog(one.name, folder, one.text)
        except Misconfigured as error:
            _log.error("%s: cannot be used either: %s", one.name, "; ".join(error.faults))
            continue
        for fault in faults:
            _log.error("%s: the newest catalog is refused, starting with %s: %s", catalog.game, one.name, fault)
        return StartCatalog(catalog, one.text, tuple(faults))
    raise Misconfigured(faults)


def text_of(path: Path) -> str:
    """Reads a text file; raises Misconfigured."""
    try:
        return read_text(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "check the path and its permissions") from error
