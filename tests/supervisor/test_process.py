"""`python -m supervisor` as a process: what it needs to start, what it says, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from loadtest.servers.aws import use_credentials
from mesh.errors import Misconfigured
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor.settings import parse
from tests.supervisor.backend import HEADER, ask, write_game
from tests.supervisor.replica import replica, sums, until

WITHIN_S = 30.0
PIPE = asyncio.subprocess.PIPE


async def start(*arguments: object) -> asyncio.subprocess.Process:
    command = [sys.executable, "-W", "error", "-m", "supervisor", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)


async def test_it_can_be_stopped_while_a_table_does_not_answer(tmp_path: Path) -> None:
    catalog = tmp_path / "mesh.yaml"
    catalog.write_text(
        "game: g\n"
        "features: {store: dynamodb, table: players, region: eu-west-1, endpoint_url: http://127.0.0.1:9}\n"
        'versions: {"1": {models: [{name: m, uri: m.txt}]}}\n'
    )
    use_credentials()
    process = await start("--catalog", catalog)
    try:
        await asyncio.sleep(2)  # it is asking again and again, of which nothing tells
        assert process.returncode is None
        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), 5)
    finally:
        if process.returncode is None:
            process.kill()
    assert b"Traceback" not in err
    assert await process.wait() == 0


async def ended(*arguments: object) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a supervisor that ends by itself."""
    process = await start(*arguments)
    try:
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, out.decode(), err.decode()


class Running:
    """A supervisor that is ready."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    async def offer(self) -> wire.GetOfferResponse:
        async with grpc.aio.insecure_channel(self.ready["address"]) as channel:
            stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
            answer: wire.GetOfferResponse = await stub.GetOffer(ask(), timeout=WITHIN_S)
            return answer

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int | None, str]:
        """Exit code and stderr."""
        self.process.send_signal(number)
        _, err = await asyncio.wait_for(self.process.communicate(), WITHIN_S)
        return self.process.returncode, err.decode()


@asynccontextmanager
async def supervisor(*arguments: object) -> AsyncIterator[Running]:
    process = await start(*arguments)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), WITHIN_S)
        yield Running(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=WITHIN_S) as answer:
        text: str = answer.read().decode()
    return text


async def test_without_any_worker_it_starts_serves_fallbacks_and_ends_in_silence(tmp_path: Path) -> None:
    async with supervisor("--catalog", write_game(tmp_path)) as running:
        assert (running.ready["event"], running.ready["pid"]) == ("ready", running.process.pid)
        answer = await running.offer()
        assert (answer.source, [offer.offer_id for offer in answer.offers]) == (wire.FALLBACK, ["starter"])
        metrics = await asyncio.to_thread(page, running.ready["metrics"])
        assert 'mesh_requests_total{game="g",reason="quorum",source="FALLBACK",version="v1"} 1.0' in metrics
        assert await running.stop() == (0, "")


async def test_it_becomes_whole_when_the_endpoints_come_and_drains_on_ctrl_c(tmp_path: Path) -> None:
    endpoints = tmp_path / "endpoints.json"
    async with (
        replica(HEADER, sums()) as played,
        supervisor(
            "--catalog", write_game(tmp_path), "--endpoints", endpoints, "--log-level", "error", "--loop", "asyncio"
        ) as running,
    ):
        put(endpoints, {"g": {"v1": {model: [played.address] for model in ("m0", "m1", "m2")}}})
        await until_whole(running)
        assert await running.stop(signal.SIGINT) == (0, "")


async def until_whole(running: Running) -> None:
    """Until every model has a replica."""
    async with asyncio.timeout(WITHIN_S):
        while (await running.offer()).source != wire.ENSEMBLE:  # noqa: ASYNC110 (another process: no event to wait for)
            await asyncio.sleep(0.05)


def put(path: Path, content: object) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def break_catalog(path: Path) -> None:
    path.write_text(path.read_text().replace("quorum: 2", "quorum: 9").replace("fallback: starter", "fallback: ghost"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_that_is_stopped_before_it_serves_has_not_failed(tmp_path: Path, number: signal.Signals) -> None:
    catalog = tmp_path / "mesh.yaml"
    os.mkfifo(catalog)
    process = await start("--catalog", catalog)
    gate = await asyncio.to_thread(catalog.open, "w")  # returns when it has begun to read
    with gate:
        process.send_signal(number)
        _, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, err) == (0, b"")


async def test_a_wrong_catalog_ends_it_with_all_its_faults(tmp_path: Path) -> None:
    catalog = write_game(tmp_path)
    break_catalog(catalog)
    code, out, err = await ended("--catalog", catalog)
    assert (code, out) == (2, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == ["versions.v1.combine.quorum", "offers.fallback"]


async def test_two_catalogs_of_one_game_are_refused(tmp_path: Path) -> None:
    catalog = write_game(tmp_path)
    code, _, err = await ended("--catalog", catalog, "--catalog", catalog)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "another catalog" in err


@pytest.mark.parametrize(("option", "address"), [("--port", "address"), ("--metrics-port", "metrics")])
async def test_a_port_that_is_taken_is_a_clear_line(tmp_path: Path, option: str, address: str) -> None:
    catalog = write_game(tmp_path)
    async with supervisor("--catalog", catalog) as running:
        code, _, err = await ended("--catalog", catalog, option, running.ready[address].rpartition(":")[2])
    assert (code, "Traceback" in err) == (2, False)
    assert err.splitlines()[-1].startswith(f"{option}: ")  # gRPC has a line of its own about it above


def test_all_wrong_settings_are_told_together() -> None:
    wrong = ["--port", "70000", "--metrics-port", "-1", "--max-waiting", "0", "--drain-s", "-1"]
    with pytest.raises(Misconfigured) as caught:
        parse(["--catalog", "mesh.yaml", *wrong])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "--port",
        "--metrics-port",
        "--max-waiting",
        "--drain-s",
    ]


def test_settings_are_what_was_given() -> None:
    given = parse(["--catalog", "a.yaml", "--catalog", "b.yaml", "--port", "7000", "--endpoints", "e.json"])
    assert (given.catalogs, given.port, given.endpoints) == ((Path("a.yaml"), Path("b.yaml")), 7000, Path("e.json"))


async def test_the_supervisor_stops_by_itself_when_a_caller_is_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    async with supervisor("--catalog", write_game(tmp_path)) as running:
        async with grpc.aio.insecure_channel(running.ready["address"]) as channel:
            stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
            call = stub.StreamOffers(timeout=WITHIN_S)
            await call.write(ask(request_id="a"))
            assert (await call.read()).request_id == "a"
            running.process.send_signal(signal.SIGTERM)
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
        await until(lambda: running.process.returncode is not None)
        assert running.process.returncode == 0
