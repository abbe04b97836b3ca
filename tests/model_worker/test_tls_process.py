"""`python -m model_worker` with TLS, as a process: its port, its certificate, and its health over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.tls.files import TlsFiles
from mesh.wire import inference_pb2_grpc
from tests.forests import TrainedForest
from tests.mesh.tls.certificates import DAY, NOW, Wish, authority, issue, write
from tests.mesh.tls.clients import WITHIN_S, channel, http, value
from tests.mesh.tls.rotation import ROTATIONS, Rotated, rotate_under_load
from tests.model_worker.processes import EndedWorker, start, worker_process
from tests.model_worker.requests import raw_request

pytestmark = pytest.mark.whole_machine  # real time limits

NAME, SUPERVISOR = "worker.g.mesh", "supervisor.g.mesh"
CA = authority()
WORKER = Wish(names=[x509.DNSName(NAME)])
CLIENT = issue(CA, Wish(names=[x509.DNSName(SUPERVISOR)]))


def options(files: TlsFiles) -> list[str]:
    paths = map(str, (files.cert, files.key, files.ca))
    cert, key, ca = paths
    return ["--tls-cert", cert, "--tls-key", key, "--tls-ca", ca, "--tls-supervisor", SUPERVISOR]


async def health(opened: grpc.aio.Channel) -> str:
    async with opened:
        try:
            found = await health_pb2_grpc.HealthStub(opened).Check(
                health_pb2.HealthCheckRequest(), timeout=WITHIN_S, wait_for_ready=False
            )
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(found.status))


async def test_worker_requires_certificates_on_its_port_and_its_socket(
    tmp_path: Path, forests: Mapping[str, TrainedForest]
) -> None:
    files, socket = write(tmp_path, issue(CA, WORKER), CA), tmp_path / "worker.sock"
    arguments = (*options(files), "--metrics-tls", "--socket", str(socket))
    async with worker_process(forests["pandas"].path, *arguments) as worker:
        for address in (worker.address, f"unix:{socket}"):
            assert await health(channel(address, NAME, CA, CLIENT)) == "SERVING"
            assert await health(channel(address, NAME, CA)) == "UNAVAILABLE"
            assert await health(grpc.aio.insecure_channel(address)) == "UNAVAILABLE"
        url = f"https://127.0.0.1:{worker.metrics_port}"
        for path in ("healthz", "readyz", "startupz"):
            assert await asyncio.to_thread(http, f"{url}/{path}", CA) == (200, "ok\n")
        _, metrics = await asyncio.to_thread(http, f"{url}/metrics", CA)
        end = value(metrics, 'mesh_tls_certificate_expiry_timestamp_seconds{certificate="own"}')
        assert end == (NOW + 30 * DAY).timestamp()


async def test_new_certificate_is_served_on_the_port_and_on_the_socket(
    tmp_path: Path, forests: Mapping[str, TrainedForest]
) -> None:
    new_ca = authority("new CA")
    files, socket = write(tmp_path, issue(CA, WORKER), CA), tmp_path / "worker.sock"
    async with worker_process(forests["pandas"].path, *options(files), "--socket", str(socket)) as worker:
        write(tmp_path, issue(new_ca, WORKER), CA, new_ca)
        for address in (worker.address, f"unix:{socket}"):
            async with asyncio.timeout(WITHIN_S):
                while await health(channel(address, NAME, new_ca, CLIENT)) != "SERVING":  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(0.1)


async def test_no_call_fails_while_the_certificate_changes_ten_times(
    tmp_path: Path, forests: Mapping[str, TrainedForest]
) -> None:
    trained, new_ca = forests["pandas"], authority("new CA")
    files = write(tmp_path, issue(CA, WORKER), CA, new_ca)
    request = raw_request(trained.rows[:4].tobytes(), trained.rows[:4].shape)

    async def infer(opened: grpc.aio.Channel) -> None:
        stub: Any = inference_pb2_grpc.GRPCInferenceServiceStub(opened)  # type: ignore[no-untyped-call]
        await stub.ModelInfer(request, timeout=WITHIN_S)

    async with worker_process(trained.path, *options(files)) as worker:
        service = Rotated(
            tmp_path, worker.address, f"http://127.0.0.1:{worker.metrics_port}/metrics", WORKER, (CA, new_ca), CLIENT
        )
        async with service.channel() as opened:
            lane: Any = inference_pb2_grpc.GRPCInferenceServiceStub(opened)  # type: ignore[no-untyped-call]
            stream = lane.ModelStreamInfer()
            await stream.write(request)
            assert (await stream.read()).error_message == ""
            assert await rotate_under_load(service, infer) > 100
            await stream.write(request)  # on the connection from before
            assert (await stream.read()).error_message == ""
            await stream.done_writing()
        code, err = await worker.stop()
    assert code == 0
    assert err.count("a new certificate is in use") == ROTATIONS
    assert "ERROR" not in err


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(names=WORKER.names, begin=NOW - 9 * DAY, end=NOW - DAY), "expired"),
        (Wish(names=[x509.UniformResourceIdentifier("spiffe://g/worker")]), "has no DNS name"),
    ],
)
async def test_certificate_that_peers_refuse_prevents_the_start(
    tmp_path: Path, forests: Mapping[str, TrainedForest], wish: Wish, fault: str
) -> None:
    files = write(tmp_path, issue(CA, wish), CA)
    ended = await start(forests["pandas"].path, *options(files))
    assert isinstance(ended, EndedWorker)
    assert (ended.code, ended.stdout) == (2, "")
    assert fault in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("with_tls", [False, True])
async def test_only_a_worker_with_tls_imports_cryptography(
    tmp_path: Path, forests: Mapping[str, TrainedForest], with_tls: bool
) -> None:
    files = write(tmp_path, issue(CA, WORKER), CA)
    async with worker_process(forests["pandas"].path, *(options(files) if with_tls else ())) as worker:
        url = f"http://127.0.0.1:{worker.metrics_port}/metrics"
        assert (await asyncio.to_thread(http, url))[0] == 200
        maps = await asyncio.to_thread(Path(f"/proc/{worker.process.pid}/maps").read_text)
    assert ("cryptography" in maps) == with_tls
