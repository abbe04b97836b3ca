"""The EndpointSlice watcher over the real protocol: faults keep the known endpoints, and changes are reported."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor.discovery import kube_api, object_watch
from supervisor.discovery.endpoint_slices import EndpointSlices
from supervisor.discovery.port import Endpoints
from tests.supervisor.fake_api_server import NAMESPACE, FakeApiServer, endpoint, fake_api_server, slice_of
from tests.supervisor.replica import until

WITHIN_S = 20.0
MODEL = ("dragonfall", "2026-10", "whales")
OTHER_GAME = ("harborlight", "v1", "whales")
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with fake_api_server(tmp_path / "serviceaccount") as server:
        await server.put(slice_of("one", MODEL, [endpoint(A)]))
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_watch, "LONGEST_PAUSE_S", 0.1)


class Watch:
    """A running discovery and the endpoints that it reported."""

    def __init__(self) -> None:
        self.reported: list[Endpoints] = []

    def now(self, model: tuple[str, str, str] = MODEL) -> list[str]:
        return [address.rpartition(":")[0] for address in self.reported[-1].of(*model)] if self.reported else []

    async def shows(self, *hosts: str, model: tuple[str, str, str] = MODEL) -> None:
        await until(lambda: bool(self.reported) and self.now(model) == list(hosts), WITHIN_S)


@asynccontextmanager
async def watching(server: FakeApiServer, watch_s: float = 60.0) -> AsyncIterator[Watch]:
    """Runs the discovery of both games, with watches of `watch_s`; the first watch is open."""
    watch = Watch()
    endpoints: Any = EndpointSlices(server.account, ["harborlight", "dragonfall"], (watch_s, watch_s)).watch()

    async def read() -> None:
        async with aclosing(endpoints):
            async for reported in endpoints:
                watch.reported.append(reported)

    reading = asyncio.create_task(read())
    try:
        await until(lambda: reading.done() or server.watches > 0 or server.refuse is not None, WITHIN_S)
        yield watch
        assert not reading.done()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_endpoints_have_addresses_with_ports(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await watch.shows(A)
        assert watch.reported[-1].of(*MODEL) == (f"{A}:9000",)
        assert watch.reported[-1].of("dragonfall", "2026-10", "other") == ()


async def test_added_and_removed_replicas_are_reported(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await server.put(slice_of("one", MODEL, [endpoint(A), endpoint(B)]))
        await watch.shows(A, B)
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)


async def test_deleted_slice_has_no_replicas(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await watch.shows(A)
        await server.delete("one")
        await watch.shows()


async def test_terminating_replica_is_left_out_even_if_it_is_ready(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        terminating = [endpoint(A, ready=True, terminating=True), endpoint(B), endpoint(C, ready=False)]
        await server.put(slice_of("one", MODEL, terminating))
        await watch.shows(B)


async def test_slices_of_a_service_and_of_several_games_are_merged(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await server.put(slice_of("two", MODEL, [endpoint(B)]), slice_of("far", OTHER_GAME, [endpoint(C)]))
        await watch.shows(A, B)
        await watch.shows(C, model=OTHER_GAME)
        assert server.lists == 1
        await server.delete("one")
        await watch.shows(B)


async def test_burst_of_events_is_reported_once(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await watch.shows(A)
        await server.put(*(slice_of(f"more-{last}", MODEL, [endpoint(f"10.0.1.{last}")]) for last in range(9)))
        await until(lambda: len(watch.now()) == 10)
        assert len(watch.reported) == 2


async def test_event_without_a_change_is_not_reported(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await watch.shows(A)
        await server.put(slice_of("one", MODEL, [endpoint(A, serving=None)]))
        await server.bookmark()
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)
        assert len(watch.reported) == 2


async def test_long_list_is_read_page_by_page(server: FakeApiServer) -> None:
    server.page = 2
    await server.put(*(slice_of(f"more-{last}", MODEL, [endpoint(f"10.0.1.{last}")]) for last in range(4)))
    async with watching(server) as watch:
        await until(lambda: len(watch.now()) == 5)
        assert [query.get("continue") for query in server.queries[:3]] == [None, "2", "4"]


@pytest.mark.parametrize("by_event", [False, True], ids=["as a status", "as an event"])
async def test_slice_deleted_before_a_410_is_removed(server: FakeApiServer, by_event: bool) -> None:
    await server.put(slice_of("two", MODEL, [endpoint(B)]))
    async with watching(server) as watch:
        await watch.shows(A, B)
        await server.delete("one", silently=True)
        await server.forget(by_event=by_event)
        server.cut()
        await watch.shows(B)
        await until(lambda: server.watches == 1)
        await server.put(slice_of("two", MODEL, [endpoint(C)]))
        await watch.shows(C)
        assert server.lists == 2


async def test_watch_that_ends_continues_from_its_last_version(server: FakeApiServer) -> None:
    async with watching(server, watch_s=1.0) as watch:
        await server.bookmark()
        await until(lambda: sum("watch" in query for query in server.queries) >= 2)
        assert server.queries[-1]["resourceVersion"] == str(server._version)
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)
        assert server.lists == 1


@pytest.mark.parametrize("rest", [b"", b'{"type": "MODIFIED", "object": {"metadata": {"na'], ids=["", "mid-line"])
async def test_lost_connection_loses_no_change(server: FakeApiServer, rest: bytes) -> None:
    async with watching(server) as watch:
        server.cut(rest)
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)
        assert server.lists == 1


async def test_outage_keeps_the_known_endpoints_and_changes_are_reported_after_it(
    server: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "supervisor.discovery")
    async with watching(server) as watch:
        await watch.shows(A)
        await server.stop()
        await until(lambda: "request to the API server failed" in caplog.text)
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        assert watch.now() == [A]
        await server.start()
        await watch.shows(B)
        await until(lambda: server.watches == 1)
        server.cut()
        await until(lambda: caplog.text.count("responds again") == 2)
    words = [record.message.partition(":")[0] for record in caplog.records]
    assert words == ["the request to the API server failed", "the API server responds again"] * 2


async def test_start_waits_for_the_api_server(server: FakeApiServer) -> None:
    account = server.account
    await server.stop()
    endpoints: Any = EndpointSlices(account, ["dragonfall"]).watch()
    async with aclosing(endpoints):
        first = asyncio.create_task(anext(endpoints))
        await asyncio.wait([first], timeout=0.2)
        assert not first.done()
        await server.start()
        assert (await asyncio.wait_for(first, WITHIN_S)).of(*MODEL) == (f"{A}:9000",)


async def test_silent_connection_is_closed(server: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_api, "OVERTIME_S", 0.1)
    server.mute = True
    async with watching(server, watch_s=0.2) as watch:
        server.mute = False  # for later watches
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)
        assert sum("watch" in query for query in server.queries) >= 2


async def test_token_is_read_for_each_request(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        server.token = "second"
        server.cut()
        await until(lambda: "first" in server.refused_tokens)
        server.write_token("second")
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)


async def test_missing_role_is_named_and_the_request_is_repeated(
    server: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuse = (403, "cannot list resource endpointslices")
    async with watching(server) as watch:
        await until(lambda: len(server.queries) >= 3)
        server.refuse = None
        await watch.shows(A)
    messages = [record.message for record in caplog.records if "Role" in record.message]
    assert len(messages) == 1
    assert all(word in messages[0] for word in ("get, list and watch", "endpointslices", NAMESPACE))


async def test_request_is_repeated_after_a_server_error(server: FakeApiServer) -> None:
    server.refuse = (500, "etcd has no leader")
    async with watching(server) as watch:
        await until(lambda: len(server.queries) >= 2)
        server.refuse = None
        await watch.shows(A)


MALFORMED: list[Any] = [
    {"metadata": {"name": "odd"}},
    {"metadata": None},
    "text",
    None,
    {**slice_of("odd", MODEL, [endpoint(C)]), "addressType": "FQDN"},
    {**slice_of("odd", MODEL, [endpoint(C)]), "ports": [{"name": "other", "port": 1}]},
    {**slice_of("odd", MODEL, []), "endpoints": [{"addresses": []}]},
    {**slice_of("odd", MODEL, []), "endpoints": [{"addresses": [7]}]},
    {**slice_of("odd", MODEL, []), "endpoints": 7},
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_object_is_ignored_and_logged_once(
    server: FakeApiServer, malformed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(server) as watch:
        await server.say("ADDED", malformed)
        await server.say("MODIFIED", malformed)
        await server.put(slice_of("two", MODEL, [endpoint(B)]))
        await watch.shows(A, B)
        assert server.watches == 1
    assert ["ignoring" in record.message for record in caplog.records] == [True]


async def test_event_of_an_unknown_type_is_ignored(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await server.say("TRANSMUTED", slice_of("one", MODEL, []))
        await server.put(slice_of("two", MODEL, [endpoint(B)]))
        await watch.shows(A, B)


async def test_error_event_other_than_410_leads_to_a_new_list(server: FakeApiServer) -> None:
    async with watching(server) as watch:
        await server.say("ERROR", {"code": 500, "message": "etcd"})
        await server.put(slice_of("one", MODEL, [endpoint(B)]))
        await watch.shows(B)


async def test_cancelled_watch_closes_its_connection(server: FakeApiServer) -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    async with watching(server):
        assert server.watches == 1
    await until(lambda: server.watches == 0)
    gc.collect()  # an unclosed session reports itself
    assert problems == []
