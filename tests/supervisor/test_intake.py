"""The intake: many calls accepted at once, the newest begun first, stale calls refused before they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from mesh.errors import OverQuota, WrongRequest
from supervisor import acceptor, intake, raw_call
from supervisor.callers.recognition import Recognition
from supervisor.intake import Intake
from supervisor.reading_calls import READING, READING_S
from tests.supervisor.callers.fake_call import FakeCall, callers_of
from tests.supervisor.replica import until

METHOD = "/test.Echo/Ask"
ORDINARY = b"accepted by grpc.aio itself"
LONGEST_S = 30.0


@pytest.fixture(autouse=True)
def many_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "ACCEPTING", 64)  # so that grpc.aio itself accepts only the first of a test's calls


@dataclass
class Service:
    """A service whose clock stands still until a test moves it."""

    now_s: float = 0.0
    longest_s: float = LONGEST_S
    refusals: int = 0
    begun: list[bytes] = field(default_factory=list)
    begin: Callable[[bytes, float | None], Any] = lambda request, _: request
    server: Any = None
    channel: Any = None
    ask: Any = None
    taker: Any = None
    address: str = ""

    def begin_request(self, request: bytes, remaining_s: float | None, _admission: object, _traceparent: str) -> Any:
        self.begun.append(request)
        return self.begin(request, remaining_s)

    def refuse(self) -> None:
        self.refusals += 1

    async def hold_all_readers(self, stack: AsyncExitStack) -> list[Any]:
        """Begins `READING` calls whose callers do not send their request yet."""
        slow = self.channel.stream_unary(METHOD)
        calls = [slow(timeout=LONGEST_S) for _ in range(READING)]
        for call in calls:
            stack.callback(call.cancel)
        await until(lambda: len(self.taker._others.reading) == READING)
        return calls


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    async def ordinary(_request: bytes, _context: Any) -> bytes:
        return ORDINARY

    echo = Service()
    server = echo.server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(ordinary)
    server.add_registered_method_handlers("test.Echo", {"Ask": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    echo.taker = Intake({METHOD: echo.begin_request}, lambda: echo.longest_s, echo.refuse, lambda: echo.now_s)
    echo.taker.start(server)
    try:
        echo.address = f"127.0.0.1:{port}"
        async with grpc.aio.insecure_channel(echo.address) as channel:
            echo.channel, echo.ask = channel, channel.unary_unary(METHOD)
            assert await echo.ask(b"first", timeout=LONGEST_S) == ORDINARY  # grpc.aio was the first to wait for a call
            yield echo
    finally:
        await server.stop(0)
        await asyncio.wait_for(echo.taker.close(), 10)


async def code_of(call: Awaitable[Any]) -> tuple[str, str]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name), str(error.details())
    return "OK", ""


async def test_requests_are_answered_at_once_or_later() -> None:
    async with service() as echo:
        assert await echo.ask(b"now", timeout=LONGEST_S) == b"now"

        async def later() -> bytes:
            await asyncio.sleep(0)
            return b"later"

        echo.begin = lambda _request, _remaining_s: later
        assert await echo.ask(b"x", timeout=LONGEST_S) == b"later"


async def test_function_of_a_method_gets_the_time_until_the_deadline() -> None:
    async with service() as echo:
        echo.begin = lambda _request, remaining_s: str(remaining_s is not None and 0 < remaining_s < 21).encode()
        assert await echo.ask(b"", timeout=20) == b"True"
        assert await echo.ask(b"") == b"False"


async def test_newest_call_begins_first() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        slow = await echo.hold_all_readers(stack)
        waiting: list[Any] = []
        for number in range(5):
            waiting.append(asyncio.ensure_future(echo.ask(str(number).encode(), timeout=LONGEST_S)))
            await until(lambda: len(echo.taker._others.waiting) == len(waiting))
        await slow[0].write(b"slow")
        await slow[0].done_writing()
        await asyncio.gather(*waiting)
        assert echo.begun == [b"slow", b"4", b"3", b"2", b"1", b"0"]


async def test_call_that_waits_for_half_of_its_time_is_refused_before_it_is_read() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        await echo.hold_all_readers(stack)
        waiting = asyncio.ensure_future(code_of(echo.ask(b"x", timeout=20)))
        await until(lambda: len(echo.taker._others.waiting) == 1)
        echo.now_s = 0.001
        echo.taker._run_soon()
        await asyncio.sleep(0.01)
        assert (echo.refusals, waiting.done()) == (0, False)
        echo.taker._others.reading = dict.fromkeys(echo.taker._others.reading, 11.0)  # they are busy
        echo.now_s = 11.0
        assert await waiting == ("RESOURCE_EXHAUSTED", intake.OVERLOADED.text)
        assert (echo.refusals, echo.begun) == (1, [])


async def test_call_that_is_refused_for_lack_of_cpu_is_counted_for_its_caller() -> None:
    registry = CollectorRegistry()
    admission = Recognition([callers_of({"anyone": True}, registry=registry)], has_open_game=False, has_tls=False).of(
        FakeCall()
    )
    async with service() as echo, AsyncExitStack() as stack:
        await echo.hold_all_readers(stack)
        echo.taker._admit = lambda _: admission
        waiting = asyncio.ensure_future(code_of(echo.ask(b"x", timeout=20)))
        await until(lambda: len(echo.taker._others.waiting) == 1)
        echo.taker._others.reading = dict.fromkeys(echo.taker._others.reading, 11.0)
        echo.now_s = 11.0
        echo.taker._run_soon()
        assert (await waiting)[0] == "RESOURCE_EXHAUSTED"
    labels = {"game": "g", "caller": "anyone", "outcome": "overloaded"}
    assert registry.get_sample_value("mesh_caller_requests_total", labels) == 1


async def test_call_that_is_not_admitted_gets_the_status_of_the_error_before_it_is_read() -> None:
    def refuse(_: object) -> None:
        raise OverQuota("over quota", 0.5)

    async with service() as echo:
        echo.taker._admit = refuse
        call = echo.channel.stream_unary(METHOD)(timeout=LONGEST_S)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(await call.trailing_metadata())["grpc-retry-pushback-ms"] == "500"
        assert echo.begun == []


async def test_longest_time_of_a_new_catalog_counts() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        await echo.hold_all_readers(stack)
        echo.longest_s = 2.0
        waiting = asyncio.ensure_future(code_of(echo.ask(b"x")))
        await until(lambda: len(echo.taker._others.waiting) == 1)
        assert echo.taker._others.waiting._by_name[None].oldest().refuse_at_s == intake.WAIT_SHARE * 2.0
        echo.now_s += 1.5
        echo.taker._run_soon()
        assert (await waiting)[0] == "RESOURCE_EXHAUSTED"


async def test_callers_that_send_slowly_do_not_block_the_others() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        slow = await echo.hold_all_readers(stack)
        waiting = asyncio.ensure_future(echo.ask(b"fast", timeout=LONGEST_S))
        await until(lambda: len(echo.taker._others.waiting) == 1)
        echo.now_s = READING_S
        assert await waiting == b"fast"
        await slow[0].write(b"slow")
        await slow[0].done_writing()
        assert await slow[0] == b"slow"


async def test_connection_that_sends_in_time_does_not_wait_for_those_that_do_not() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        options = [("grpc.use_local_subchannel_pool", 1)]
        polite = await stack.enter_async_context(grpc.aio.insecure_channel(echo.address, options))
        ask: Any = polite.unary_unary(METHOD)
        assert await ask(b"first", timeout=LONGEST_S) == b"first"
        slow = await echo.hold_all_readers(stack)
        assert await ask(b"second", timeout=LONGEST_S) == b"second"  # the clock stands still: no call is slow yet
        echo.now_s = READING_S
        await slow[0].write(b"slow")
        await slow[0].done_writing()
        assert await slow[0] == b"slow"


async def test_connection_that_sends_late_loses_its_place() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        assert await echo.ask(b"x", timeout=LONGEST_S) == b"x"
        late = echo.channel.stream_unary(METHOD)(timeout=LONGEST_S)
        stack.callback(late.cancel)
        await until(lambda: len(echo.taker._punctual.reading) == 1)
        echo.now_s = READING_S
        echo.taker._run_soon()
        await until(lambda: not echo.taker._punctual.reading)
        waiting = echo.channel.stream_unary(METHOD)(timeout=LONGEST_S)
        stack.callback(waiting.cancel)
        await until(lambda: len(echo.taker._late.reading) == 1)


async def test_connection_that_lost_its_place_sooner_than_others_is_still_punctual() -> None:
    async with service() as echo:
        assert await echo.ask(b"x", timeout=LONGEST_S) == b"x"
        echo.taker._reading_s = lambda _queue: READING_S / 10  # as beside slow callers
        call = echo.channel.stream_unary(METHOD)(timeout=LONGEST_S)
        await until(lambda: len(echo.taker._punctual.reading) == 1)
        (peer,) = {one.peer() for one in echo.taker._punctual.reading}
        echo.now_s = READING_S / 2
        echo.taker._run_soon()
        await until(lambda: echo.taker._peers.is_punctual(peer) is False)
        await call.write(b"y")
        await call.done_writing()
        assert await call == b"y"
        assert echo.taker._peers.is_punctual(peer)


async def test_error_is_the_status_of_the_call() -> None:
    async with service() as echo:

        def wrong(_request: bytes, _remaining_s: float | None) -> bytes:
            raise WrongRequest("player_id: is empty; set it")

        def bug(_request: bytes, _remaining_s: float | None) -> bytes:
            raise KeyError("secret")

        echo.begin = wrong
        assert await code_of(echo.ask(b"x")) == ("INVALID_ARGUMENT", "player_id: is empty; set it")
        echo.begin = bug
        assert await code_of(echo.ask(b"x")) == ("INTERNAL", "internal error; see the log of the server")


async def test_error_of_an_admitted_request_is_the_status_of_the_call() -> None:
    async with service() as echo:

        async def wrong() -> bytes:
            raise WrongRequest("no")

        echo.begin = lambda _request, _remaining_s: wrong
        assert await code_of(echo.ask(b"x")) == ("INVALID_ARGUMENT", "no")


async def test_caller_that_leaves_cancels_its_request_only() -> None:
    async with service() as echo:
        ends: list[str] = []
        gate = asyncio.Event()

        def begin(request: bytes, _remaining_s: float | None) -> Any:
            async def rest() -> bytes:
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    ends.append(request.decode())
                    raise
                return request

            return rest

        echo.begin = begin
        leaving, staying = (asyncio.ensure_future(echo.ask(name, timeout=LONGEST_S)) for name in (b"leaves", b"stays"))
        await until(lambda: len(echo.begun) == 2)
        leaving.cancel()
        await until(lambda: ends == ["leaves"])
        gate.set()
        assert await staying == b"stays"


async def test_server_that_stops_ends_waiting_and_running_calls() -> None:
    async with service() as echo, AsyncExitStack() as stack:
        await echo.hold_all_readers(stack)
        waiting = asyncio.ensure_future(code_of(echo.ask(b"x", timeout=LONGEST_S)))
        await until(lambda: len(echo.taker._others.waiting) == 1)
        await echo.server.stop(0)
        await asyncio.wait_for(echo.taker.close(), 10)
        assert (await waiting)[0] in ("CANCELLED", "UNAVAILABLE")


async def test_unknown_grpcio_accepts_calls_as_grpc_aio_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_call, "_PARTS", ("a part that does not exist",))
    async with service() as echo:
        assert await echo.ask(b"x", timeout=LONGEST_S) == ORDINARY
        assert echo.begun == []


async def test_this_grpcio_is_known() -> None:
    assert raw_call.is_known(grpc.aio.server())
