"""A name server for one headless Service, as in a cluster: it returns the addresses of the ready pods."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

TTL_S = 5  # as a cluster's CoreDNS
_ADDRESS, _INTERNET = 1, 1
_ANSWERED = 0x8180  # a response, recursion desired and available, no error


class _Names(asyncio.DatagramProtocol):
    """Answers every query with the current addresses, whatever name it asks for."""

    def __init__(self, addresses: Callable[[], Sequence[str]]) -> None:
        self._addresses = addresses
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # always a DatagramTransport
        self._transport = transport

    def datagram_received(self, data: bytes, caller: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(answer(data, self._addresses()), caller)


def answer(query: bytes, hosts: Sequence[str]) -> bytes:
    """The response to a query (RFC 1035, section 4.1): `hosts` for an address query, otherwise no records."""
    (identity,) = struct.unpack_from("!H", query)
    end = query.index(b"\0", 12) + 5  # the name ends with an empty label; type and class follow
    (record_type,) = struct.unpack_from("!H", query, end - 4)
    found = hosts if record_type == _ADDRESS else ()
    header = struct.pack("!6H", identity, _ANSWERED, 1, len(found), 0, 0)
    records = [struct.pack("!HHHIH", 0xC00C, _ADDRESS, _INTERNET, TTL_S, 4) + socket.inet_aton(host) for host in found]
    return header + query[12:end] + b"".join(records)


@asynccontextmanager
async def serving(addresses: Callable[[], Sequence[str]]) -> AsyncIterator[str]:
    """Runs the name server during the block; yields its address. Each response calls `addresses`."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Names(addresses), ("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}"
    finally:
        transport.close()
