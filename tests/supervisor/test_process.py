"""`python -m supervisor` as a process: its start, its faults, its readiness and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from emulators.aws import use_credentials
from mesh.port_check import listen_fault
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.free_port import free_port
from tests.supervisor.backend import HEADER, ask, write_game
from tests.supervisor.processes import WITHIN_S, Running, ended, start, supervisor
from tests.supervisor.replica import replica, sums, until

pytestmark = pytest.mark.whole_machine  # real time limits


async def test_supervisor_can_be_stopped_while_a_table_does_not_answer(tmp_path: Path) -> None:
    async with table_that_hangs_up() as (port, asked):
        catalog = tmp_path / "mesh.yaml"
        catalog.write_text(
            "game: g\n"
            "features: {store: dynamodb, table: players, region: eu-west-1, "
            f"endpoint_url: http://127.0.0.1:{port}}}\n"
            'versions: {"1": {models: [{name: m, uri: m.txt}]}}\n'
        )
        use_credentials()
        process = await start("--catalog", catalog)
        try:
            for _ in range(2):  # it repeats the read
                await asyncio.wait_for(asked.get(), WITHIN_S)
            assert process.returncode is None
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), 5)
        finally:
            if process.returncode is None:
                process.kill()
    assert b"Traceback" not in err
    assert await process.wait() == 0


@asynccontextmanager
async def table_that_hangs_up() -> AsyncIterator[tuple[int, asyncio.Queue[None]]]:
    """A port that closes each connection without an answer, and a queue with an item for each connection."""
    asked: asyncio.Queue[None] = asyncio.Queue()

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(None)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], asked


def page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=WITHIN_S) as answer:
        text: str = answer.read().decode()
    return text


async def test_supervisor_without_workers_serves_fallbacks_and_stops_without_output(tmp_path: Path) -> None:
    async with supervisor("--catalog", write_game(tmp_path)) as running:
        assert (running.ready["event"], running.ready["pid"]) == ("ready", running.process.pid)
        answer = await running.offer()
        assert (answer.source, [offer.offer_id for offer in answer.offers]) == (wire.FALLBACK, ["starter"])
        metrics = await asyncio.to_thread(page, running.ready["metrics"])
        assert 'mesh_requests_total{game="g",reason="quorum",source="FALLBACK",version="v1"} 1.0' in metrics
        assert await running.stop() == (0, "")


async def test_supervisor_on_an_ipv6_address_reports_addresses_that_clients_can_use(tmp_path: Path) -> None:
    hosts = ("--host", "::1", "--metrics-host", "::1")
    async with supervisor("--catalog", write_game(tmp_path), *hosts) as running:
        assert running.ready["address"].startswith("[::1]:")
        assert (await running.offer()).source == wire.FALLBACK
        page = await asyncio.to_thread(urllib.request.urlopen, f"http://{running.ready['metrics']}/readyz")
        assert page.status == 200


async def test_answers_are_complete_once_the_endpoints_are_known_and_ctrl_c_drains(tmp_path: Path) -> None:
    endpoints = tmp_path / "endpoints.json"
    async with (
        replica(HEADER, sums()) as fake,
        supervisor(
            "--catalog", write_game(tmp_path), "--endpoints", endpoints, "--log-level", "error", "--loop", "asyncio"
        ) as running,
    ):
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m0", "m1", "m2")}}})
        await until_whole(running)
        assert await running.stop(signal.SIGINT) == (0, "")


async def until_whole(running: Running) -> None:
    """Waits until every model has a replica."""
    async with asyncio.timeout(WITHIN_S):
        while (await running.offer()).source != wire.ENSEMBLE:  # noqa: ASYNC110 (another process has no event)
            await asyncio.sleep(0.05)


def put(path: Path, content: object) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def break_catalog(path: Path) -> None:
    path.write_text(path.read_text().replace("quorum: 2", "quorum: 9").replace("fallback: starter", "fallback: ghost"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stop_signal_before_serving_is_not_a_failure(tmp_path: Path, number: signal.Signals) -> None:
    catalog = tmp_path / "mesh.yaml"
    os.mkfifo(catalog)
    process = await start("--catalog", catalog)
    gate = await asyncio.to_thread(catalog.open, "w")  # returns when the supervisor opens the file
    with gate:
        process.send_signal(number)
        _, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert (process.returncode, err) == (0, b"")


async def test_all_faults_of_a_wrong_catalog_are_reported(tmp_path: Path) -> None:
    catalog = write_game(tmp_path)
    break_catalog(catalog)
    code, out, err = await ended("--catalog", catalog)
    assert (code, out) == (2, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == ["versions.v1.combine.quorum", "offers.fallback"]


async def test_damaged_model_file_does_not_prevent_the_start(tmp_path: Path) -> None:
    catalog = write_game(tmp_path)
    (tmp_path / "m0.txt").write_text("damaged")
    async with replica(HEADER, sums()) as fake:
        endpoints = tmp_path / "endpoints.json"
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m1", "m2")}}})
        assert (
            await first_answer_of("--catalog", catalog, "--endpoints", endpoints, "--listen-within-s", 60)
            == wire.PARTIAL
        )


async def test_two_catalogs_of_one_game_are_refused(tmp_path: Path) -> None:
    catalog = write_game(tmp_path)
    code, _, err = await ended("--catalog", catalog, "--catalog", catalog)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "another catalog" in err


@pytest.mark.parametrize(("option", "address"), [("--port", "address"), ("--metrics-port", "metrics")])
async def test_port_in_use_is_reported_with_its_option(tmp_path: Path, option: str, address: str) -> None:
    catalog = write_game(tmp_path)
    async with supervisor("--catalog", catalog) as running:
        code, _, err = await ended("--catalog", catalog, option, running.ready[address].rpartition(":")[2])
    assert (code, "Traceback" in err) == (2, False)
    assert err.splitlines()[-1].startswith(f"{option}: ")  # gRPC logs a line before it


async def test_all_faults_of_the_command_line_are_reported() -> None:
    code, out, err = await ended("--port", "70000", "--loop", "trio")
    assert (code, out) == (2, "")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["--port", "--loop", "--catalog"]


async def test_endpoint_slices_outside_of_a_cluster_are_a_fault(tmp_path: Path) -> None:
    code, _, err = await ended("--catalog", write_game(tmp_path), "--endpoint-slices", tmp_path / "none")
    assert (code, "Traceback" in err) == (2, False)
    assert {line.partition(":")[0] for line in err.splitlines()} == {"--endpoint-slices"}


async def test_relative_paths_of_a_catalog_are_in_the_given_folder(tmp_path: Path) -> None:
    catalog, files = catalog_elsewhere(tmp_path)
    code, _, err = await ended("--catalog", catalog)
    assert (code, "offers.csv is missing" in err) == (2, True)
    async with supervisor("--catalog", catalog, "--files", files) as running:
        assert (await running.offer()).source == wire.FALLBACK


def catalog_elsewhere(folder: Path) -> tuple[Path, Path]:
    """A game's catalog, and the other folder with its files."""
    files, config = folder / "files", folder / "config"
    files.mkdir()
    config.mkdir()
    return write_game(files).rename(config / "mesh.yaml"), files


async def test_supervisor_is_ready_as_soon_as_every_model_has_a_replica(tmp_path: Path) -> None:
    endpoints, port = tmp_path / "endpoints.json", free_port()
    arguments = ("--catalog", write_game(tmp_path), "--endpoints", endpoints, "--ready-within-s", 600)
    async with replica(HEADER, sums()) as fake:
        starting = asyncio.create_task(first_answer_of(*arguments, "--port", port))
        assert await health_at(port) == health_pb2.HealthCheckResponse.NOT_SERVING
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m0", "m1", "m2")}}})
        assert await asyncio.wait_for(starting, WITHIN_S) == wire.ENSEMBLE


async def test_supervisor_is_ready_after_the_given_time_without_replicas(tmp_path: Path) -> None:
    assert await first_answer_of("--catalog", write_game(tmp_path), "--ready-within-s", "0.2") == wire.FALLBACK


async def test_supervisor_listens_when_the_quorum_of_each_version_has_replicas(tmp_path: Path) -> None:
    endpoints, port, metrics_port = tmp_path / "endpoints.json", free_port(), free_port()
    arguments = ("--catalog", write_game(tmp_path), "--endpoints", endpoints, "--listen-within-s", 600)
    async with replica(HEADER, sums()) as fake:
        put(endpoints, {"g": {"v1": {"m0": [fake.address]}}})
        starting = asyncio.create_task(first_answer_of(*arguments, "--port", port, "--metrics-port", metrics_port))
        await until_shown(metrics_port, 'mesh_lanes{game="g",model="m0",state="up",version="v1"} 1.0')
        assert listen_fault("127.0.0.1", port) is None
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m0", "m1")}}})
        assert await asyncio.wait_for(starting, WITHIN_S) == wire.PARTIAL


async def until_shown(metrics_port: int, line: str) -> None:
    """Waits until the metrics of the supervisor contain `line`."""
    async with asyncio.timeout(WITHIN_S):
        while line not in await asyncio.to_thread(metrics_at, metrics_port):  # noqa: ASYNC110 (a page has no events)
            await asyncio.sleep(0.05)


def metrics_at(port: int) -> str:
    with contextlib.suppress(OSError):  # not listening yet
        return page(f"127.0.0.1:{port}")
    return ""


async def test_supervisor_listens_after_the_given_time_without_a_quorum(tmp_path: Path) -> None:
    assert await first_answer_of("--catalog", write_game(tmp_path), "--listen-within-s", "0.2") == wire.FALLBACK


async def test_supervisor_can_be_stopped_while_it_waits_for_a_quorum(tmp_path: Path) -> None:
    metrics_port = free_port()
    arguments = ("--listen-within-s", 600, "--metrics-port", metrics_port)
    process = await start("--catalog", write_game(tmp_path), *arguments)
    try:
        await until_shown(metrics_port, "mesh_cohorts")
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
        assert (process.returncode, out, err) == (0, b"", b"")
    finally:
        if process.returncode is None:
            process.kill()


async def first_answer_of(*arguments: object) -> int:
    """The source of the first answer of a supervisor."""
    async with supervisor(*arguments) as running:
        return (await running.offer()).source


async def health_at(port: int) -> int:
    """The health of the supervisor at `port`, once it listens."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        asking = health_pb2.HealthCheckRequest(service="mesh.v1.Offers")
        return int((await stub.Check(asking, timeout=WITHIN_S, wait_for_ready=True)).status)


async def test_health_is_not_serving_until_ready_and_the_supervisor_can_be_stopped(tmp_path: Path) -> None:
    port = free_port()
    process = await start("--catalog", write_game(tmp_path), "--ready-within-s", 600, "--port", port)
    try:
        assert await health_at(port) == health_pb2.HealthCheckResponse.NOT_SERVING
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
        assert (process.returncode, out, err) == (0, b"", b"")
    finally:
        if process.returncode is None:
            process.kill()


async def test_callers_reconnect_at_the_maximum_connection_age(tmp_path: Path) -> None:
    async with (
        supervisor("--catalog", write_game(tmp_path, budget_ms=300), "--max-connection-age-s", 1) as running,
        grpc.aio.insecure_channel(running.ready["address"]) as channel,
        asyncio.timeout(WITHIN_S),
    ):
        stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        await stub.GetOffer(ask())
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        await stub.GetOffer(ask())


async def test_stream_ends_with_ok_at_the_maximum_age_after_its_answers(tmp_path: Path) -> None:
    async with (
        supervisor("--catalog", write_game(tmp_path, budget_ms=300), "--max-connection-age-s", 1) as running,
        grpc.aio.insecure_channel(running.ready["address"]) as channel,
        asyncio.timeout(WITHIN_S),
    ):
        stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        call = stub.StreamOffers()
        await call.write(ask(request_id="a"))
        assert (await call.read()).request_id == "a"
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_supervisor_stops_while_a_caller_has_an_open_stream(tmp_path: Path) -> None:
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
