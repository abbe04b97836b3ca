"""The health of a service: the same over gRPC and over HTTP."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh import serving
from mesh.metrics_endpoint import Pages, metrics_endpoint
from tests.mesh.test_metrics_endpoint import ask

PATHS = ("/healthz", "/readyz", "/startupz")


async def test_http_checks_follow_the_status_of_grpc() -> None:
    health, server = serving.Health(["service"]), grpc.aio.server()
    await health.attach(server)
    port = serving.bind(server, "127.0.0.1", 0)
    await server.start()
    async with (
        metrics_endpoint(Pages({}, health.checks()), "127.0.0.1", 0) as http_port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        found = []
        for serves in (None, True, False, True):
            if serves is not None:
                await health.set_serving(serves)
            status = (await stub.Check(health_pb2.HealthCheckRequest(service="service"), timeout=20)).status
            answers = [await ask(http_port, f"GET {path} HTTP/1.1\r\n\r\n".encode()) for path in PATHS]
            codes = [int(answer.split()[1]) for answer in answers]
            found.append((health_pb2.HealthCheckResponse.ServingStatus.Name(status), codes))
    await server.stop(None)
    assert found == [
        ("NOT_SERVING", [200, 503, 503]),
        ("SERVING", [200, 200, 200]),
        ("NOT_SERVING", [200, 503, 200]),
        ("SERVING", [200, 200, 200]),
    ]
