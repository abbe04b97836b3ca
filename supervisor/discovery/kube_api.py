"""Client of the Kubernetes API server that lists and watches objects with the credentials of a pod.

The protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
docs/decisions/0009-discovery.md explains why this is not a library.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from supervisor.discovery.json_lines import JsonLines, TooLong
from supervisor.discovery.service_account import ServiceAccount

CONNECT_S = 5.0
ANSWER_S = 15.0
# The API server ends a watch after the requested time; a connection that is silent for this much longer is dead.
OVERTIME_S = 10.0
KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S, KEEPALIVE_PROBES = 15, 5, 3
PAGE = 500
_CONNECTION_ERRORS = (aiohttp.ClientError, OSError, TimeoutError, ValueError, TooLong)


class ApiFault(Exception):
    """A request failed; `kind` is equal for faults with the same cause."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Gone(Exception):
    """The requested resource version has expired (410): list all objects again."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Some objects of one kind in the pod's namespace.

    `path` is a format string with one field, the namespace; `query` has the label or field selector; `right` names the
    objects in the message about a missing Role.
    """

    path: str
    query: Mapping[str, str]
    right: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects, and the resource version from which a watch continues."""

    items: Sequence[Any]
    version: str


class Stream:
    """An open watch."""

    def __init__(self, response: aiohttp.ClientResponse, stack: contextlib.AsyncExitStack) -> None:
        self._response = response
        self._stack = stack
        self._lines = JsonLines()

    async def burst(self) -> Sequence[Any] | None:
        """Waits for events and returns all received ones; None if the server ended the watch. Raises ApiFault."""
        with _as_fault():
            data = await self._response.content.readany()
        if not data:
            return None
        with _as_fault():
            return self._lines.feed(data)

    async def close(self) -> None:
        """Ends the watch and its connection."""
        await self._stack.aclose()


class KubeApi:
    """Reads the objects of `selection`; each request opens its own connection."""

    def __init__(self, account: ServiceAccount, selection: Selection) -> None:
        self._account = account
        self._selection = selection

    async def list(self) -> Listing:
        """Lists all objects, page by page; raises Gone or ApiFault."""
        items: list[Any] = []
        more = ""
        while True:
            page = await self._page({"limit": str(PAGE), **({"continue": more} if more else {})})
            items += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return Listing(items, str(page["metadata"]["resourceVersion"]))

    async def watch(self, version: str, watch_s: float) -> Stream:
        """Watches the changes after `version`; the server ends the watch after `watch_s`. Raises Gone or ApiFault."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(watch_s))),
        }
        stack = contextlib.AsyncExitStack()
        try:
            return Stream(await stack.enter_async_context(self._get(query, watch_s + OVERTIME_S)), stack)
        except BaseException:
            await stack.aclose()
            raise

    async def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        async with self._get(query, ANSWER_S) as response:
            with _as_fault():
                page = await response.json(content_type=None)
                if not isinstance(page["items"], list | None) or not isinstance(page["metadata"], dict):
                    raise ValueError("items is not a list, or metadata is not an object")
                return {**page, "items": page["items"] or []}

    @contextlib.asynccontextmanager
    async def _get(self, query: Mapping[str, str], limit_s: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yields the response to a GET with status 200; the whole response must arrive within `limit_s`."""
        async with contextlib.AsyncExitStack() as stack:
            with _as_fault():
                connector = aiohttp.TCPConnector(ssl=self._account.tls(), socket_factory=_keepalive_socket)
                times = aiohttp.ClientTimeout(total=limit_s, sock_connect=CONNECT_S)
                session = aiohttp.ClientSession(self._account.url, connector=connector, timeout=times)
                await stack.enter_async_context(session)
                headers = {"authorization": f"Bearer {self._account.token()}", "accept": "application/json"}
                request = session.get(
                    self._selection.path.format(self._account.namespace),
                    params={**self._selection.query, **query},
                    headers=headers,
                    allow_redirects=False,
                )
                async with asyncio.timeout(ANSWER_S):
                    response = await stack.enter_async_context(request)
                    stack.callback(_hang_up, response)
                    if response.status != 200:
                        raise self._refusal(response.status, await response.text())
            yield response

    def _refusal(self, status: int, body: str) -> Exception:
        if status == 410:
            return Gone()
        if status == 403:
            right = f"{self._selection.right} in namespace {self._account.namespace}"
            role = f"the pod's service account needs a Role with the verbs get, list and watch on {right}"
            return ApiFault("403", f"the API server refused the request; {role}: {_message(body)}")
        if status == 401:
            return ApiFault("401", "the API server does not accept the pod's token")
        return ApiFault(str(status), f"the API server responded with status {status}: {_message(body)}")


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Aborts the connection of an incomplete response, without the TLS close handshake: the server may be gone."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


@contextlib.contextmanager
def _as_fault() -> Iterator[None]:
    """Turns every error of a request into an ApiFault."""
    try:
        yield
    except _CONNECTION_ERRORS as error:
        raise ApiFault("unreachable", f"the request to the API server failed: {_text(error)}") from error
    except (KeyError, TypeError) as error:
        raise ApiFault("malformed", f"the response of the API server is not a list: {_text(error)}") from error


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _message(body: str) -> str:
    """The message of a Status object, or the beginning of any other body."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]


def _keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that detects a dead peer within half a minute."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, name):  # macOS names the first one differently
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
