"""Lists and watches one kind of object by the API server's protocol, as a pod does.

The protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes. Why not a
library: docs/decisions/0009-discovery.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from supervisor.discovery.json_lines import JsonLines, TooLong
from supervisor.discovery.service_account import ServiceAccount

CONNECT_S = 5.0
ANSWER_S = 15.0
# A watch ends by itself after the seconds that were asked for; a connection that says nothing for longer is dead.
OVERTIME_S = 10.0
KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S, KEEPALIVE_PROBES = 15, 5, 3
PAGE = 500
_PLACE = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
_TROUBLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError, TooLong)


class ApiFault(Exception):
    """The API server could not be asked, or did not do what was asked; `kind` is the same for the same trouble."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Gone(Exception):
    """The version that was asked for is no longer known (410): what there is must be listed anew."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects there are, and the version from which a watch goes on."""

    items: Sequence[Any]
    version: str


class Stream:
    """A watch that is open."""

    def __init__(self, response: aiohttp.ClientResponse, stack: contextlib.AsyncExitStack) -> None:
        self._response = response
        self._stack = stack
        self._lines = JsonLines()

    async def burst(self) -> Sequence[Any] | None:
        """The next events, all that have come by now; None when the server has ended the watch. Raises ApiFault."""
        with _told():
            data = await self._response.content.readany()
        if not data:
            return None
        with _told():
            return self._lines.feed(data)

    async def close(self) -> None:
        """Ends the watch and its connection."""
        await self._stack.aclose()


class KubeApi:
    """The EndpointSlices of the pod's namespace, by label. Each call has a connection and reads the token anew."""

    def __init__(self, account: ServiceAccount, selector: str) -> None:
        self._account = account
        self._selector = selector

    async def list(self) -> Listing:
        """All objects, page by page; raises Gone or ApiFault."""
        items: list[Any] = []
        more = ""
        while True:
            page = await self._page({"limit": str(PAGE), **({"continue": more} if more else {})})
            items += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return Listing(items, str(page["metadata"]["resourceVersion"]))

    async def watch(self, version: str, watch_s: float) -> Stream:
        """Opens a watch from `version` on that the server ends after `watch_s`; raises Gone or ApiFault."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(watch_s))),
        }
        stack = contextlib.AsyncExitStack()
        try:
            return Stream(await stack.enter_async_context(self._asked(query, watch_s + OVERTIME_S)), stack)
        except BaseException:
            await stack.aclose()
            raise

    async def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        async with self._asked(query, ANSWER_S) as response:
            with _told():
                page = await response.json(content_type=None)
                if not isinstance(page["items"], list | None) or not isinstance(page["metadata"], dict):
                    raise ValueError("its list is none")
                return {**page, "items": page["items"] or []}

    @contextlib.asynccontextmanager
    async def _asked(self, query: Mapping[str, str], limit_s: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a GET, whose status is 200; all of it has to come within `limit_s`."""
        async with contextlib.AsyncExitStack() as stack:
            with _told():
                connector = aiohttp.TCPConnector(ssl=self._account.tls(), socket_factory=_kept_alive)
                times = aiohttp.ClientTimeout(total=limit_s, sock_connect=CONNECT_S)
                session = aiohttp.ClientSession(self._account.url, connector=connector, timeout=times)
                await stack.enter_async_context(session)
                headers = {"authorization": f"Bearer {self._account.token()}", "accept": "application/json"}
                asking = session.get(
                    _PLACE.format(self._account.namespace),
                    params={"labelSelector": self._selector, **query},
                    headers=headers,
                    allow_redirects=False,
                )
                async with asyncio.timeout(ANSWER_S):
                    response = await stack.enter_async_context(asking)
                    stack.callback(_hang_up, response)
                    if response.status != 200:
                        raise _refusal(self._account.namespace, response.status, await response.text())
            yield response


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Ends the connection of an answer that has not come to its end, without TLS's farewell: a server may be gone."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


@contextlib.contextmanager
def _told() -> Any:
    """Whatever may befall a request, as an ApiFault."""
    try:
        yield
    except _TROUBLE as error:
        raise ApiFault("unreachable", f"the API server cannot be asked: {_words(error)}") from error
    except (KeyError, TypeError) as error:
        raise ApiFault("nonsense", f"the API server answered what is no list: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refusal(namespace: str, status: int, body: str) -> Exception:
    if status == 410:
        return Gone()
    if status == 403:
        role = (
            f"a Role with the verbs get, list and watch on endpointslices (discovery.k8s.io) in namespace {namespace}"
        )
        return ApiFault("403", f"the API server forbids it; the pod's service account needs {role}: {_message(body)}")
    if status == 401:
        return ApiFault("401", "the API server does not take the pod's token")
    return ApiFault(str(status), f"the API server answered {status}: {_message(body)}")


def _message(body: str) -> str:
    """What a Status object says, else the beginning of whatever came."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]


def _kept_alive(place: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within half a minute when nobody is at the other end any more."""
    made = socket.socket(*place[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, name):  # macOS has another name for the first
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
