"""The endpoints file: `mesh up` writes the addresses of the workers, the supervisor reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesh.cli.up.plan import Replica

Tree = dict[str, dict[str, dict[str, list[str]]]]


class EndpointsFile:
    """`{game: {version: {model: [address, ...]}}}`, replaced as a whole at every change of an address."""

    def __init__(self, path: Path, replicas: Sequence[Replica]) -> None:
        self.path = path
        self._addresses: dict[Replica, str | None] = dict.fromkeys(replicas)

    def put(self, replica: Replica, address: str | None) -> None:
        """Sets the address of `replica`; None while it does not serve."""
        if self._addresses[replica] != address:
            self._addresses[replica] = address
            self.write()

    def write(self) -> None:
        """Replaces the file atomically: a reader gets the old or the new content, never a part."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(tree(self._addresses)), encoding="utf-8")
        fresh.replace(self.path)


def tree(addresses: Mapping[Replica, str | None]) -> Tree:
    """Returns the content of the file. Every model has a list, which is empty while no replica serves."""
    games: Tree = {}
    for replica, address in addresses.items():
        models = games.setdefault(replica.game, {}).setdefault(replica.version, {})
        serving = models.setdefault(replica.model.name, [])
        if address is not None:
            serving.append(address)
    return games
