"""A caller of an HTTP service with little work per request, to leave the CPU to the measured service."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import cast

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class HttpCaller:
    """Posts one of `requests`; each concurrent call has a connection of its own.

    A connection is reused until the server closes it; gunicorn's sync workers close it after each answer.
    """

    def __init__(self, address: str, requests: Sequence[bytes]) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._requests = requests
        self._idle: list[_Connection] = []

    async def ask(self, player: int) -> str:
        """ENSEMBLE for the status 200, else the status or the name of the connection error."""
        connection = None
        try:
            connection = await self._connected()
            status = await connection.exchange(self._requests[player])
        except OSError as error:
            if connection is not None:
                connection.close()
            return f"HTTP {type(error).__name__}"
        if connection.is_last:
            connection.close()
        else:
            self._idle.append(connection)
        return "ENSEMBLE" if status == 200 else f"HTTP {status}"

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connected(self) -> _Connection:
        if self._idle:
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection


def posts(address: str, path: str, players: Sequence[str]) -> list[bytes]:
    """The encoded request of each player: POST `path` {"player_id": ...}."""
    return [_post(address, path, json.dumps({"player_id": player})) for player in players]


def _post(address: str, path: str, body: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {address}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: one request at a time; answers have a Content-Length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._status: asyncio.Future[int] | None = None
        self.is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # the transport of uvloop does not inherit from it

    async def exchange(self, request: bytes) -> int:
        """Sends `request` and returns the status; raises ConnectionError if the connection closes before the end."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionResetError("closed between two requests")
        self._received = b""
        self._status = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._status

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not separator or length is None or len(body) < int(length[1]):
            return
        self.is_last = CLOSES.search(head) is not None
        if self._status is not None and not self._status.done():
            self._status.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._status is not None and not self._status.done():
            self._status.set_exception(ConnectionResetError(str(error or "closed before the end of the answer")))
