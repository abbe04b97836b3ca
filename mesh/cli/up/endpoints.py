"""The file by which `mesh up` tells the supervisor where the workers are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesh.cli.up.plan import Seat

Tree = dict[str, dict[str, dict[str, list[str]]]]


class EndpointsFile:
    """`{game: {version: {model: [address, ...]}}}`, replaced as a whole whenever a worker comes or goes."""

    def __init__(self, path: Path, seats: Sequence[Seat]) -> None:
        self.path = path
        self._addresses: dict[Seat, str | None] = dict.fromkeys(seats)

    def put(self, seat: Seat, address: str | None) -> None:
        """The worker of `seat` serves at `address`; None: nowhere."""
        if self._addresses[seat] != address:
            self._addresses[seat] = address
            self.write()

    def write(self) -> None:
        """Writes the file such that a reader sees the old one or the new one, never a part."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(tree(self._addresses)), encoding="utf-8")
        fresh.replace(self.path)


def tree(addresses: Mapping[Seat, str | None]) -> Tree:
    """The content of the file: every model has a list, empty while none of its replicas serves."""
    games: Tree = {}
    for seat, address in addresses.items():
        found = games.setdefault(seat.game, {}).setdefault(seat.version, {}).setdefault(seat.model.name, [])
        if address is not None:
            found.append(address)
    return games
