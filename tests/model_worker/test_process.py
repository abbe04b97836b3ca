from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mesh.model_file import from_properties, read_header
from mesh.serving import lane_options
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker.identity import Engine
from tests.forests import TrainedForest
from tests.model_worker.processes import EndedWorker, RunningWorker, ended, run, start, worker_process
from tests.model_worker.requests import raw_request

pytestmark = pytest.mark.whole_machine  # real time limits

SERVING = health_pb2.HealthCheckResponse.SERVING


def channel_to(worker: RunningWorker) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(worker.address, options=lane_options())


def inference(channel: grpc.aio.Channel) -> Any:
    return inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]


def request_for(trained: TrainedForest, count: int, request_id: str = "") -> oip.ModelInferRequest:
    rows = trained.rows[:count]
    return raw_request(rows.tobytes(), rows.shape, request_id=request_id)


async def test_worker_serves_health_metadata_metrics_reflection_and_scores(
    forests: Mapping[str, TrainedForest],
) -> None:
    trained = forests["pandas"]
    digest = hashlib.sha256(trained.path.read_bytes()).hexdigest()
    async with worker_process(trained.path, "--sha256", digest) as worker, channel_to(worker) as channel:
        await check_health(channel)
        await check_metadata(channel, trained.path, digest)
        await check_reflection(channel)
        response = await inference(channel).ModelInfer(request_for(trained, 64))
        assert response.raw_output_contents[0] == trained.scores(trained.rows).tobytes()
        await check_metrics(worker.metrics_port, digest)


async def test_worker_serves_on_a_unix_socket_that_a_killed_worker_left(
    forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    trained, path = forests["binary"], tmp_path / "lane.sock"
    killed = await start(trained.path, "--socket", str(path))
    assert isinstance(killed, RunningWorker)
    killed.process.kill()
    await killed.process.communicate()
    async with (
        worker_process(trained.path, "--socket", str(path)),
        grpc.aio.insecure_channel(f"unix:{path}", options=lane_options()) as channel,
    ):
        response = await inference(channel).ModelInfer(request_for(trained, 8))
        assert response.raw_output_contents[0] == trained.scores(trained.rows[:8]).tobytes()


async def test_unusable_unix_socket_is_reported_in_one_line(
    forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    outcome = await start(forests["binary"].path, "--socket", str(tmp_path / "missing" / "lane.sock"))
    assert isinstance(outcome, EndedWorker)
    assert (outcome.code, outcome.stderr.count("\n")) == (2, 1)
    assert "Unix socket" in outcome.stderr


async def test_worker_without_reflection_serves_the_rest(forests: Mapping[str, TrainedForest]) -> None:
    async with worker_process(forests["pandas"].path, "--no-reflection") as worker, channel_to(worker) as channel:
        await check_health(channel)
        # Nothing is written: grpc.aio reports some refused streams with a message as INTERNAL (grpc/grpc#36066).
        call: Any = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")()
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def check_health(channel: grpc.aio.Channel) -> None:
    for service in ("", "inference.GRPCInferenceService"):
        request = health_pb2.HealthCheckRequest(service=service)
        assert (await health_pb2_grpc.HealthStub(channel).Check(request)).status == SERVING


async def check_metadata(channel: grpc.aio.Channel, path: Path, digest: str) -> None:
    described = await inference(channel).ModelMetadata(oip.ModelMetadataRequest(name="forest"))
    assert from_properties(described.properties) == read_header(path)
    assert described.properties["sha256"] == digest


async def check_reflection(channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    reply = await call.read()
    services = {service.name for service in reply.list_services_response.service}
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= services


async def check_metrics(port: int, digest: str) -> None:
    text = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")
    for line in (
        "mesh_worker_in_flight 0.0",
        "mesh_worker_queue_seconds_count 1.0",
        "mesh_worker_predict_seconds_count 1.0",
        'mesh_worker_batch_rows_bucket{le="64.0"} 1.0',
        "mesh_worker_expired_total 0.0",
        f'sha256="{digest}"',
    ):
        assert line in text
    assert "mesh_worker_busy_seconds_total" in text


def fetch(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        return bytes(response.read()).decode()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_stop_answers_admitted_requests_and_exits_with_0(loop: str, binary: TrainedForest) -> None:
    async with worker_process(binary.path, "--loop", loop) as worker, channel_to(worker) as channel:
        stream = inference(channel).ModelStreamInfer()
        for number in range(200):
            await stream.write(request_for(binary, 64, str(number)))
        await stream.read()
        stopping = asyncio.ensure_future(worker.stop())
        answered = 1
        while (reply := await stream.read()) is not grpc.aio.EOF:
            assert reply.error_message == "" or reply.error_message.startswith("UNAVAILABLE")
            answered += 1
        assert await stream.code() is grpc.StatusCode.OK
        code, stderr = await stopping
        assert (code, stderr.count("\n")) == (0, 2), stderr  # the engine, and the end of the drain
        assert answered >= 1


@pytest.mark.parametrize(("chosen", "is_switched_off"), [("auto", False), ("lightgbm", True)])
async def test_worker_reports_its_engine_and_reason(chosen: str, is_switched_off: bool, binary: TrainedForest) -> None:
    async with worker_process(binary.path, "--engine", chosen) as worker, channel_to(worker) as channel:
        described = await inference(channel).ModelMetadata(oip.ModelMetadataRequest(name="forest"))
        engine = Engine(described.properties["engine"], described.properties["engine_reason"])
        assert (engine == Engine("lightgbm", "switched off")) is is_switched_off
        assert worker.engine == engine
        _, stderr = await worker.stop()
    assert f"forest: scored by {engine}\n" in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_both_signals_stop_an_idle_worker_with_0(number: signal.Signals, model_path: Path) -> None:
    async with worker_process(model_path) as worker:
        worker.process.send_signal(number)
        left = await ended(worker.process)
        assert (left.code, left.stdout) == (0, "")


async def test_stop_during_the_start_prints_nothing(model_path: Path) -> None:
    process = await run("--name", "forest", "--uri", str(model_path))
    while process.returncode is None and not catches(process.pid, signal.SIGTERM):  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.001)
    process.send_signal(signal.SIGINT)
    left = await ended(process)
    assert (left.code, left.stdout, left.stderr) == (0, "", "")


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal, see proc_pid_status(5)."""
    (mask,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("flag", ["--port", "--metrics-port"])
async def test_port_in_use_is_reported_in_one_line(flag: str, model_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        left = await start(model_path, flag, port)
    assert isinstance(left, EndedWorker)
    assert left.code == 2
    assert left.stderr.count("\n") == 1
    assert port in left.stderr


async def test_model_with_a_wrong_digest_is_refused_with_3(model_path: Path) -> None:
    left = await start(model_path, "--sha256", "0" * 64)
    assert isinstance(left, EndedWorker)
    assert (left.code, left.stdout, left.stderr.count("\n")) == (3, "", 1)
    assert "its SHA-256 is" in left.stderr


async def test_model_that_no_supervisor_could_feed_is_refused_with_4(model_path: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.json"
    table = {"store": "dynamodb", "layout": "map", "columns": {"numbers": ["level"]}}
    inputs.write_text(json.dumps({"features": table, "context": {}, "offers": {}}))
    left = await start(model_path, "--inputs", str(inputs))
    assert isinstance(left, EndedWorker)
    assert (left.code, left.stdout, left.stderr.count("\n")) == (4, "", 1)
    assert "feature 'Column_0' has no source; add it" in left.stderr
    assert "(and 3 more)" in left.stderr


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "the features of the model are not checked: "),
        (
            '{"features": {"store": "dynamodb"}}',
            "not all features are checked: unknown here: the columns",
        ),
    ],
)
async def test_model_is_served_while_its_sources_are_not_known(
    model_path: Path, tmp_path: Path, inputs: str | None, message: str
) -> None:
    path = tmp_path / "inputs.json"
    if inputs is not None:
        path.write_text(inputs)
    running = await start(model_path, "--inputs", str(path))
    assert isinstance(running, RunningWorker), running
    code, stderr = await running.stop()
    assert code == 0
    assert message in stderr


@pytest.mark.parametrize(
    ("uri", "reason"), [("nowhere.txt", "No such file"), ("gs://bucket/model.txt", "gs:// is not supported")]
)
async def test_missing_model_is_refused_with_3(uri: str, reason: str) -> None:
    left = await ended(await run("--name", "forest", "--uri", uri))
    assert (left.code, left.stderr.count("\n")) == (3, 1)
    assert reason in left.stderr


async def test_all_faults_of_a_command_line_are_reported_together() -> None:
    left = await ended(await run("--name", "No Label", "--port", "x", "--sha256", "12", "--loop", "trio", "--bogus"))
    assert left.code == 2
    for flag in ("--bogus: unknown", "--name:", "--uri:", "--port:", "--sha256:", "--loop:"):
        assert f"model_worker: {flag}" in left.stderr


async def test_worker_that_follows_its_parent_stops_when_the_parent_ends(model_path: Path) -> None:
    arguments = ["-m", "model_worker", "--name", "forest", "--uri", str(model_path), "--follow-parent"]
    parent = await asyncio.create_subprocess_exec(
        "sh", "-c", '"$0" "$@" & echo $!; wait', sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    try:
        assert b"ready" in await parent.stdout.readline()
        parent.kill()
        # The worker holds the other end of this pipe, so the pipe ends when the worker ends.
        assert await asyncio.wait_for(parent.stdout.read(), 30) == b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        await parent.wait()
