"""Discovery on one machine: a JSON file that the starter of the workers keeps up to date."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from supervisor.discovery.port import Endpoints

POLL_S = 0.05
_log = logging.getLogger("supervisor.discovery")


class EndpointsFile:
    """Watches a file `{"GAME": {"VERSION": {"MODEL": ["HOST:PORT", ...]}}}`; replace the file by a rename."""

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
            return parse(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            _log.error("%s: not a valid endpoints file: %s; keeping the known replicas", self._path, error)
            return None


def parse(tree: dict[str, dict[str, dict[str, list[str]]]]) -> Endpoints:
    """The endpoints in a parsed file; raises AttributeError or TypeError if it has another structure."""
    return Endpoints(
        {
            (game, version, model): _addresses(addresses)
            for game, versions in tree.items()
            for version, models in versions.items()
            for model, addresses in models.items()
        }
    )


def _addresses(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(address, str) for address in value):
        raise TypeError(f"{value!r} is not a list of addresses")
    return tuple(value)
