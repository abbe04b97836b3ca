"""The supervisors of a client, as the latest look-up of their addresses found them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator

from ensemble_mesh_client.supervisor import Supervisor


class Supervisors:
    """`open_one` opens the supervisor at an address. A supervisor that leaves is closed after `leave_s`."""

    def __init__(self, open_one: Callable[[str], Supervisor], leave_s: float) -> None:
        self._open_one = open_one
        self._leave_s = leave_s
        self._known: dict[str, Supervisor] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._turns = itertools.count()

    def __iter__(self) -> Iterator[Supervisor]:
        return iter(tuple(self._known.values()))

    @property
    def are_connected(self) -> bool:
        """Whether one of them is connected and has room."""
        return any(one.is_connected for one in self._known.values())

    def any_usable(self) -> str | None:
        """Returns the address of a usable supervisor; they take turns."""
        now_s = asyncio.get_running_loop().time()
        usable = [one.address for one in self._known.values() if one.is_usable(now_s)]
        return usable[next(self._turns) % len(usable)] if usable else None

    def on_addresses(self, addresses: set[str]) -> None:
        """Opens new supervisors, and closes those that are gone after their last answers."""
        for address in addresses - self._known.keys():
            self._known[address] = self._open_one(address)
        for address in self._known.keys() - addresses:
            leaving = asyncio.create_task(self._known.pop(address).close_after(self._leave_s))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Closes all connections."""
        for task in (leaving := list(self._leaving)):
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in self._known.values()))
