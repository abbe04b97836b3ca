"""Many simulated replicas in one process, with the part of the Open Inference Protocol that lanes use.

Listens on one Unix socket per replica. Every stream is a replica of its own; for unary calls, every model version is
one. A replica answers its messages in order, one row at a time. The score of a row is its first feature.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import numpy as np

from loadtest.generators import precise_loop
from loadtest.simulated.model import Service, SimulatedReplica
from loadtest.simulated.service_times import Lognormal, ServiceTimes
from mesh import serving
from mesh.heap import settle_heap
from mesh.model_file import ModelHeader, to_properties
from mesh.tls import files as tls_files
from mesh.wire import inference_pb2, inference_pb2_grpc

MAX_WAITING_MESSAGES = 1024
DRAIN_S = 1.0

Request = inference_pb2.ModelInferRequest
Reply = inference_pb2.ModelStreamInferResponse


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    service: Service


class Replicas(inference_pb2_grpc.GRPCInferenceServiceServicer):
    """Serves every model name; `seed` and the order in which streams open fix all service times."""

    def __init__(self, service: ServiceTimes, features: tuple[str, ...], seed: int) -> None:
        self._service = service
        self._features = features
        self._seed = seed
        self._opened = 0
        self._unary: dict[tuple[str, str], SimulatedReplica] = {}

    async def ModelMetadata(  # noqa: N802  # the name in the contract
        self, request: inference_pb2.ModelMetadataRequest, _: object
    ) -> inference_pb2.ModelMetadataResponse:
        """The metadata of a binary model of one tree with the features of this server."""
        tensor = inference_pb2.ModelMetadataResponse.TensorMetadata
        return inference_pb2.ModelMetadataResponse(
            name=request.name,
            platform="simulated",
            inputs=[tensor(name="features", datatype="FP64", shape=[-1, len(self._features)])],
            outputs=[tensor(name="scores", datatype="FP64", shape=[-1])],
            properties=to_properties(ModelHeader(self._features, {}, "binary", classes=1, trees=1)),
        )

    async def ModelStreamInfer(  # noqa: N802  # the name in the contract
        self, requests: AsyncIterator[Request], context: grpc.aio.ServicerContext[Request, Reply]
    ) -> None:
        """Answers the messages of one stream as one replica."""
        replica = self._replica()
        waiting: asyncio.Queue[_Waiting | None] = asyncio.Queue(MAX_WAITING_MESSAGES)
        async with asyncio.TaskGroup() as group:
            group.create_task(_answer_in_order(waiting, context))
            clock = asyncio.get_running_loop().time
            async for request in requests:
                await waiting.put(_Waiting(request, replica.serve(clock(), _rows(request))))
            await waiting.put(None)

    async def ModelInfer(  # noqa: N802  # the name in the contract
        self, request: Request, _: object
    ) -> inference_pb2.ModelInferResponse:
        """Answers a unary call; `model_version` names the replica of the model."""
        key = (request.model_name, request.model_version)
        replica = self._unary.get(key) or self._unary.setdefault(key, self._replica())
        loop = asyncio.get_running_loop()
        message = _Waiting(request, replica.serve(loop.time(), _rows(request)))
        await asyncio.sleep(message.service.end_s - loop.time())
        return _reply(message)

    def _replica(self) -> SimulatedReplica:
        self._opened += 1
        return SimulatedReplica(self._service, np.random.default_rng((self._seed, self._opened)))


async def _answer_in_order(
    waiting: asyncio.Queue[_Waiting | None], context: grpc.aio.ServicerContext[Request, Reply]
) -> None:
    loop = asyncio.get_running_loop()
    while (message := await waiting.get()) is not None:
        await asyncio.sleep(message.service.end_s - loop.time())
        await context.write(Reply(infer_response=_reply(message)))


def _rows(request: Request) -> int:
    return request.inputs[0].shape[0]


def _reply(message: _Waiting) -> inference_pb2.ModelInferResponse:
    request, service = message.request, message.service
    matrix = np.frombuffer(request.raw_input_contents[0], dtype="<f8").reshape(request.inputs[0].shape)
    scores = np.ascontiguousarray(matrix[:, 0])
    infer = inference_pb2.ModelInferResponse(
        model_name=request.model_name, id=request.id, raw_output_contents=[scores.tobytes()]
    )
    infer.outputs.add(name="scores", datatype="FP64", shape=[len(scores)])
    infer.parameters["predict_ns"].int64_param = round((service.end_s - service.start_s) * 1e9)
    infer.parameters["queue_ns"].int64_param = round((service.start_s - service.arrived_s) * 1e9)
    infer.parameters["starved"].double_param = 0.0
    return infer


async def serve(replicas: Replicas, count: int, credentials: grpc.ServerCredentials | None = None) -> int:
    """Serves on `count` Unix sockets, like workers under `mesh up`; prints them in `ready`, ends on SIGTERM.

    Without `credentials` in plaintext.
    """
    server = grpc.aio.server(options=serving.server_options(serving.MESSAGE_LIMIT_BYTES))
    inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(replicas, server)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="replicas-") as folder:
        sockets = [f"{folder}/{number}.sock" for number in range(count)]
        for socket in sockets:
            serving.bind_socket(server, socket, credentials)
        async with serving.stop_signal() as stop:
            await server.start()
            settle_heap()
            print(json.dumps({"event": "ready", "addresses": [f"unix:{socket}" for socket in sockets]}), flush=True)
            await stop.wait()
            await server.stop(DRAIN_S)
    return 0


def main() -> int:
    """Runs the process until SIGTERM."""
    serving.follow_parent()
    options = _parser().parse_args()
    service = Lognormal(options.median_ms / 1000, options.sigma)
    replicas = Replicas(service, tuple(options.feature), options.seed)
    with asyncio.Runner(loop_factory=precise_loop.new_event_loop) as runner:
        return runner.run(serve(replicas, options.replicas, _credentials(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.simulated.replicas", description=__doc__)
    parser.add_argument("--replicas", type=int, required=True, help="number of replicas")
    parser.add_argument("--feature", action="append", required=True, help="name of a feature; repeat in order")
    parser.add_argument("--median-ms", type=float, default=33.0, help="median service time of a row")
    parser.add_argument("--sigma", type=float, default=0.15, help="sigma of the lognormal service time")
    parser.add_argument("--seed", type=int, default=0)
    tls_files.add_options(parser)
    return parser


def _credentials(options: argparse.Namespace) -> grpc.ServerCredentials | None:
    files = tls_files.tls_files({name: getattr(options, name) for name in ("tls_cert", "tls_key", "tls_ca")})
    if files is None:
        return None
    cert, key, ca = (file.read_bytes() for file in (files.cert, files.key, files.ca))
    return grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)


if __name__ == "__main__":
    sys.exit(main())
