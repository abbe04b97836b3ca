"""The addresses of the supervisors: given, or looked up by DNS again and again."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence

LOOK_UP_EVERY_S = 10.0
FIRST_LOOK_UP_EVERY_S = 1.0  # until an address is known
LOOK_UP_S = 5.0
LAST_PORT = 65_535


class Addresses:
    """`targets` are `host:port`; a host that is a name gives one address for each of its IP addresses.

    `on_change` receives the set of addresses after each look-up. A name that cannot be looked up keeps its addresses.
    """

    def __init__(self, targets: str | Sequence[str], on_change: Callable[[set[str]], None]) -> None:
        given = [targets] if isinstance(targets, str) else list(targets)
        self._targets = [_split(target) for target in given]
        if not self._targets:
            raise ValueError("no address of a supervisor is given")
        self._on_change = on_change
        self._known: dict[tuple[str, str], set[str]] = {}

    async def follow(self) -> None:
        """Looks up the names every `LOOK_UP_EVERY_S`, until cancelled; once, if no target is a name."""
        while True:
            found = await self._look_up()
            if found:
                self._on_change(found)
            if not any(is_name for _, _, is_name in self._targets):
                return
            await asyncio.sleep(LOOK_UP_EVERY_S if found else FIRST_LOOK_UP_EVERY_S)

    async def _look_up(self) -> set[str]:
        found: set[str] = set()
        for host, port, is_name in self._targets:
            if is_name:
                latest = await _addresses_of(host, port)
                if latest:
                    self._known[host, port] = latest
                found.update(self._known.get((host, port), ()))
            else:
                found.add(_joined(host, port))
        return found


async def _addresses_of(host: str, port: str) -> set[str]:
    with contextlib.suppress(OSError, TimeoutError, UnicodeError):
        async with asyncio.timeout(LOOK_UP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        return {_joined(str(place[4][0]), port) for place in found}
    return set()


def _split(target: str) -> tuple[str, str, bool]:
    host, _, port = target.removeprefix("dns:///").rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit() and int(port) <= LAST_PORT):
        raise ValueError(f"{target!r} is not an address such as 10.0.0.7:9000 or a name such as mesh.games:9000")
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return host, port, False
    return host, port, True


def _joined(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
