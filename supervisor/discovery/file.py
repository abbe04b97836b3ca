"""Discovery on one machine: a JSON file that the starter of the workers keeps up to date."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from mesh.bounded_file import read_text
from supervisor.discovery.port import Endpoints

POLL_S = 0.05
MAX_BYTES = 4 * 2**20  # read on the event loop
Tree = dict[str, dict[str, dict[str, list[object]]]]
_log = logging.getLogger("supervisor.discovery")


class EndpointsFile:
    """Watches a file `{"GAME": {"VERSION": {"MODEL": ["HOST:PORT", ...]}}}`; replace the file by a rename.

    `{"address": "HOST:PORT", "serves": TEXT}` in place of an address names the entry of the catalog that the replica
    serves (`mesh.catalog.served_model`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def watch(self) -> AsyncIterator[Endpoints]:
        """Checks the file 20 times a second; a missing or malformed file changes nothing."""
        last: tuple[int, int] | None = None
        while True:
            identity = self._identity()
            if identity is not None and identity != last:
                endpoints = self._read()
                if endpoints is not None:
                    yield endpoints
                last = identity
            await asyncio.sleep(POLL_S)

    def _identity(self) -> tuple[int, int] | None:
        try:
            state = self._path.stat()
        except OSError:
            return None
        return state.st_ino, state.st_mtime_ns

    def _read(self) -> Endpoints | None:
        try:
            return parse(json.loads(read_text(self._path, MAX_BYTES)))
        except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            _log.error("%s: not a valid endpoints file: %s; keeping the known replicas", self._path, error)
            return None


def parse(tree: Tree) -> Endpoints:
    """The endpoints in a parsed file; raises AttributeError, KeyError or TypeError if it has another structure."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    serves: dict[str, str] = {}
    for game, versions in tree.items():
        for version, models in versions.items():
            for model, endpoints in models.items():
                found[game, version, model] = _addresses(endpoints, serves)
    return Endpoints(found, serves)


def _addresses(endpoints: object, serves: dict[str, str]) -> tuple[str, ...]:
    """The addresses in the list of a model; adds to `serves` what they serve."""
    if not isinstance(endpoints, list):
        raise TypeError(f"{endpoints!r} is not a list of addresses")
    addresses = []
    for one in endpoints:
        address, served = (one["address"], one["serves"]) if isinstance(one, dict) else (one, None)
        if not isinstance(address, str) or not isinstance(served, str | None):
            raise TypeError(f"{one!r} is not an address")
        addresses.append(address)
        if served is not None:
            serves[address] = served
    return tuple(addresses)
