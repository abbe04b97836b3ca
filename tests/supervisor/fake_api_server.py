"""A fake API server: EndpointSlices and ConfigMaps over HTTPS, by the real list and watch protocol, on port 0.

Every change has a resourceVersion. A watch receives the changes after its version, as JSON lines in chunks; a compacted
version gets status 410. The test chooses the faults.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from supervisor.discovery.service_account import ServiceAccount, read_service_account
from tests.supervisor.certificates import write_certificates

NAMESPACE = "games"
PLACES = (
    "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "/api/v1/namespaces/{namespace}/configmaps",
)
ROLE = {"app.kubernetes.io/component": "model-worker"}
Object = dict[str, Any]


def endpoint(address: str, *, uid: str | None = None, **conditions: bool | None) -> Object:
    """One endpoint of a slice; ready by default."""
    merged = {"ready": True, "serving": True, "terminating": False, **conditions}
    target = {} if uid is None else {"targetRef": {"kind": "Pod", "name": uid, "uid": uid}}
    return {"addresses": [address], "conditions": merged, **target}


def slice_of(
    name: str, model: tuple[str, str, str], endpoints: Sequence[Object], *, port: int = 9000, family: str = "IPv4"
) -> Object:
    """An EndpointSlice with a part of the endpoints of `model` (game, version, model)."""
    keys = ("ensemble-mesh/game", "ensemble-mesh/version", "ensemble-mesh/model")
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {**ROLE, **dict(zip(keys, model, strict=True))}},
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [{"name": "metrics", "port": 9100}, {"name": "grpc", "port": port, "protocol": "TCP"}],
    }


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap; a key that is not a name in Python is given as `**{key: text}`."""
    return {"metadata": {"name": name, "namespace": NAMESPACE, "labels": {}}, "data": data}


class FakeApiServer:
    """Holds objects, keeps the queries, and fails on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = "first"
        self.page = 500
        self.refuse: tuple[int, str] | None = None  # refuses every request with this status and message
        self.mute = False  # new watches send nothing and do not end
        self.queries: list[Mapping[str, str]] = []
        self.refused_tokens: list[str] = []
        self._objects: dict[str, Object] = {}
        self._history: list[tuple[int, str, Object]] = []
        self._compacted = 0
        self._versions = itertools.count(1)
        self._version = next(self._versions)
        self._changed = asyncio.Condition()
        self._watches: dict[asyncio.Task[Any], web.StreamResponse] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that the kubelet sets for a pod."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}

    @property
    def account(self) -> ServiceAccount:
        """The service account of the pod."""
        return read_service_account(self.folder, self.environ)

    @property
    def watches(self) -> int:
        """The number of open watches."""
        return len(self._watches)

    @property
    def lists(self) -> int:
        """The number of lists (first pages) that were requested."""
        return sum("watch" not in query and "continue" not in query for query in self.queries)

    async def start(self) -> None:
        """Listens, on the same port as before."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        app = web.Application()
        for place in PLACES:
            app.router.add_get(place, self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops and closes all connections; keeps the slices."""
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def write_token(self, token: str) -> None:
        """Renews the token of the pod, as the kubelet does."""
        fresh = self.folder / "token.fresh"
        fresh.write_text(token + "\n")
        fresh.replace(self.folder / "token")

    async def put(self, *slices: Any, silently: bool = False) -> None:
        """Creates or replaces objects, all at once; `silently`: without an event."""
        async with self._changed:
            for one in slices:
                name = one["metadata"]["name"]
                self._record("MODIFIED" if name in self._objects else "ADDED", name, one, silently)
            self._changed.notify_all()

    async def delete(self, name: str, *, silently: bool = False) -> None:
        """Deletes an object."""
        async with self._changed:
            self._record("DELETED", name, self._objects[name], silently)
            del self._objects[name]
            self._changed.notify_all()

    async def say(self, kind: str, item: Any) -> None:
        """Sends an event without a stored object: BOOKMARK, ERROR, or a malformed one."""
        async with self._changed:
            self._version = next(self._versions)
            self._history.append((self._version, kind, item))
            self._changed.notify_all()

    async def bookmark(self) -> None:
        """Sends the current version to the watches."""
        version = {"metadata": {"resourceVersion": str(self._version + 1)}}
        await self.say("BOOKMARK", {"kind": "EndpointSlice", **version})

    async def forget(self, *, by_event: bool) -> None:
        """Compacts the whole history: earlier versions get 410; open watches get it as an event if `by_event`."""
        self._history.clear()
        self._version = next(self._versions)
        if by_event:
            await self.say("ERROR", gone())
        self._compacted = self._version

    def cut(self, half_a_line: bytes = b"") -> None:
        """Drops the connection of every watch, after `half_a_line`."""
        for response in self._watches.values():
            transport = _transport(response)
            if half_a_line:
                transport.write(b"%x\r\n%s\r\n" % (len(half_a_line), half_a_line))
            transport.close()

    def _record(self, kind: str, name: str, item: Object, silently: bool) -> None:
        self._version = next(self._versions)
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self._version)}}
        self._objects[name] = item
        if not silently:
            self._history.append((self._version, kind, item))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        scheme, _, token = request.headers["authorization"].partition(" ")
        if (scheme, token) != ("Bearer", self.token) or request.match_info["namespace"] != NAMESPACE:
            self.refused_tokens.append(token)
            return _status(401, "Unauthorized")
        if self.refuse is not None:
            return _status(*self.refuse)
        return await (self._watch(request) if request.query.get("watch") else self._list(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        start = int(request.query.get("continue", "0"))
        stop = start + min(self.page, int(request.query["limit"]))
        chosen = [one for one in self._objects.values() if _is_selected(one, request.query)]
        metadata = {"resourceVersion": str(self._version), **({"continue": str(stop)} if stop < len(chosen) else {})}
        return web.json_response({"kind": "EndpointSliceList", "metadata": metadata, "items": chosen[start:stop]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        version, seconds = int(request.query["resourceVersion"]), float(request.query["timeoutSeconds"])
        if version < self._compacted:
            return _status(410, "too old resource version")
        response = web.StreamResponse(headers={"content-type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._watches[task] = response
        try:
            if self.mute:
                await asyncio.Event().wait()  # until the client closes
            async with asyncio.timeout(seconds):
                await self._send_events(response, version, request.query)
        except TimeoutError:
            pass
        finally:
            del self._watches[task]
        return response

    async def _send_events(self, response: web.StreamResponse, version: int, query: Mapping[str, str]) -> None:
        while True:
            async with self._changed:
                while self._version <= version:
                    await self._changed.wait()
                events = [event for event in self._history if event[0] > version]
                version = self._version
            lines = [
                json.dumps({"type": kind, "object": item})
                for _, kind, item in events
                if kind in ("BOOKMARK", "ERROR") or _is_selected(item, query)
            ]
            if lines:
                await response.write("".join(f"{line}\n" for line in lines).encode())


def gone() -> Object:
    """The Status object of an expired version."""
    return {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}


def _is_selected(item: Any, query: Mapping[str, str]) -> bool:
    """Matches `key=value,key in (a,b)` of labels, or `metadata.name=value`; an object without labels passes."""
    try:
        labels = item["metadata"]["labels"]
    except (KeyError, TypeError):
        return True
    if "fieldSelector" in query:
        return bool(query["fieldSelector"] == f"metadata.name={item['metadata']['name']}")
    selector = query["labelSelector"]
    equal, _, among = selector.partition(",")
    key, _, value = equal.partition("=")
    wanted, _, values = among.partition(" in ")
    return labels.get(key) == value and labels.get(wanted) in values.strip("()").split(",")


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


def _transport(response: web.StreamResponse) -> Any:
    request: Any = response._req
    return request.transport


def _write_account(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_certificates(folder)
    (folder / "namespace").write_text(NAMESPACE)


@asynccontextmanager
async def fake_api_server(folder: Path) -> AsyncIterator[FakeApiServer]:
    """Yields a server without slices; writes the service account of a pod into `folder`."""
    await asyncio.to_thread(_write_account, folder)
    server = FakeApiServer(folder)
    server.write_token(server.token)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
