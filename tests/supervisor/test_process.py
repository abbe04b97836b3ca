"""`python -m supervisor` as a process: what it needs to start, what it says, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from emulators.aws import use_credentials
from mesh.errors import Misconfigured
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor.settings import SERVICE_ACCOUNT, parse
from tests.free_port import free_port
from tests.supervisor.backend import HEADER, ask, write_game
from tests.supervisor.processes import WITHIN_S, Running, ended, start, supervisor
from tests.supervisor.replica import replica, sums, until


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
        replica(HEADER, sums()) as fake,
        supervisor(
            "--catalog", write_game(tmp_path), "--endpoints", endpoints, "--log-level", "error", "--loop", "asyncio"
        ) as running,
    ):
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m0", "m1", "m2")}}})
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
    wrong += ["--ready-within-s", "-1", "--max-connection-age-s", "0", "--dns", "Not.A.Namespace"]
    wrong += ["--endpoints", "e.json", "--endpoint-slices"]
    with pytest.raises(Misconfigured) as caught:
        parse(["--catalog", "mesh.yaml", *wrong])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "--port",
        "--metrics-port",
        "--max-waiting",
        "--drain-s",
        "--ready-within-s",
        "--max-connection-age-s",
        "--dns",
        "--endpoints, --endpoint-slices, --dns",
    ]


def test_settings_are_what_was_given() -> None:
    given = parse(["--catalog", "a.yaml", "--catalog", "b.yaml", "--port", "7000", "--endpoints", "e.json"])
    assert (given.catalogs, given.port, given.endpoints) == ((Path("a.yaml"), Path("b.yaml")), 7000, Path("e.json"))


def test_the_service_account_is_where_the_kubelet_puts_it_unless_told_otherwise() -> None:
    given = [parse(["--catalog", "a.yaml", "--endpoint-slices", *folder]) for folder in ([], ["elsewhere"])]
    assert [settings.endpoint_slices for settings in given] == [SERVICE_ACCOUNT, Path("elsewhere")]
    assert parse(["--catalog", "a.yaml"]).endpoint_slices is None


async def test_outside_of_a_cluster_endpoint_slices_are_a_clear_fault(tmp_path: Path) -> None:
    code, _, err = await ended("--catalog", write_game(tmp_path), "--endpoint-slices", tmp_path / "none")
    assert (code, "Traceback" in err) == (2, False)
    assert {line.partition(":")[0] for line in err.splitlines()} == {"--endpoint-slices"}


async def test_relative_paths_of_a_catalog_are_of_the_folder_that_is_given(tmp_path: Path) -> None:
    catalog, files = catalog_elsewhere(tmp_path)
    code, _, err = await ended("--catalog", catalog)
    assert (code, "offers.csv is missing" in err) == (2, True)
    async with supervisor("--catalog", catalog, "--files", files) as running:
        assert (await running.offer()).source == wire.FALLBACK


def catalog_elsewhere(folder: Path) -> tuple[Path, Path]:
    """A game's catalog, and the folder of its files, which is another."""
    files, config = folder / "files", folder / "config"
    files.mkdir()
    config.mkdir()
    return write_game(files).rename(config / "mesh.yaml"), files


async def test_it_is_ready_as_soon_as_every_model_has_a_replica(tmp_path: Path) -> None:
    endpoints, port = tmp_path / "endpoints.json", free_port()
    arguments = ("--catalog", write_game(tmp_path), "--endpoints", endpoints, "--ready-within-s", 600)
    async with replica(HEADER, sums()) as fake:
        starting = asyncio.create_task(first_answer_of(*arguments, "--port", port))
        assert await health_at(port) == health_pb2.HealthCheckResponse.NOT_SERVING
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in ("m0", "m1", "m2")}}})
        assert await asyncio.wait_for(starting, WITHIN_S) == wire.ENSEMBLE


async def test_it_is_ready_at_the_latest_after_the_time_that_is_given(tmp_path: Path) -> None:
    assert await first_answer_of("--catalog", write_game(tmp_path), "--ready-within-s", "0.2") == wire.FALLBACK


async def first_answer_of(*arguments: object) -> int:
    """Where the answer comes from that a supervisor gives as soon as it is ready."""
    async with supervisor(*arguments) as running:
        return (await running.offer()).source


async def health_at(port: int) -> int:
    """What the supervisor at `port` says of itself, once it listens."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        asking = health_pb2.HealthCheckRequest(service="mesh.v1.Offers")
        return int((await stub.Check(asking, timeout=WITHIN_S, wait_for_ready=True)).status)


async def test_until_it_is_ready_its_health_says_so_and_it_can_be_stopped(tmp_path: Path) -> None:
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


async def test_callers_connect_anew_when_their_connection_is_of_age(tmp_path: Path) -> None:
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


async def test_a_stream_of_age_is_ended_with_ok_when_what_was_read_is_answered(tmp_path: Path) -> None:
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
