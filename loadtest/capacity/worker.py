"""One worker, started as in production, and its stream, used like a lane of a supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loadtest.measurement import meters
from mesh import serving
from mesh.catalog.members import Member
from mesh.process import Launch, running
from mesh.wire import inference_pb2

START_BUDGET_S = 60.0
REPLY_BUDGET_S = 30.0
POLL_S = 0.002

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is SERVING; `start_cpu_s` is the CPU of the process and of the child that proved its model."""

    pid: int
    channel: grpc.aio.Channel
    start_s: float
    start_cpu_s: float


@contextlib.asynccontextmanager
async def started(model: Member, folder: Path) -> AsyncIterator[Worker]:
    """Runs a worker, which finds no kept proof of its model, until the block ends; log and socket are in `folder`."""
    socket = folder / "worker.sock"
    command = [sys.executable, "-m", "model_worker", "--name", model.name, "--uri", model.uri]
    command += ["--socket", str(socket), "--log-level", "warning"]
    launch = Launch(f"the worker of {model.name}", command, Path.cwd(), folder / "worker.log")
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        async with _serving(replace(launch, environment={"XDG_CACHE_HOME": cache}), socket) as worker:
            yield worker


@contextlib.asynccontextmanager
async def _serving(launch: Launch, socket: Path) -> AsyncIterator[Worker]:
    began_s = time.monotonic()
    async with running(launch) as program:
        await program.event("ready", START_BUDGET_S)
        async with grpc.aio.insecure_channel(f"unix:{socket}", options=serving.lane_options()) as channel:
            await _until_serving(channel)
            start_s = time.monotonic() - began_s
            pid = program.pid
            yield Worker(pid, channel, start_s, meters.cpu_s([pid]) + meters.ended_children_cpu_s(pid))


async def _until_serving(channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(START_BUDGET_S):
        while True:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=REPLY_BUDGET_S)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(POLL_S)


class Stream:
    """Sends messages of rows and reads their replies, which come in order."""

    def __init__(self, worker: Worker, model: str) -> None:
        self._model = model
        self._call: Any = worker.channel.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            response_deserializer=inference_pb2.ModelStreamInferResponse.FromString,
        )()

    def message(self, rows: Matrix) -> bytes:
        """The encoded request for `rows` [rows, features]."""
        request = inference_pb2.ModelInferRequest(model_name=self._model, id="1")
        request.inputs.add(name="features", datatype="FP64", shape=rows.shape)
        request.raw_input_contents.append(rows.tobytes())
        return bytes(request.SerializeToString())

    async def send(self, message: bytes) -> None:
        """Writes a message to the stream."""
        await self._call.write(message)

    async def predict_ms(self) -> float:
        """Reads the next reply and returns its predict time; raises RuntimeError if the reply is an error."""
        async with asyncio.timeout(REPLY_BUDGET_S):
            reply = await self._call.read()
        if reply is grpc.aio.EOF or reply.error_message:
            raise RuntimeError(f"the worker sent {reply} instead of scores")
        return float(reply.infer_response.parameters["predict_ns"].int64_param / 1e6)

    async def close(self) -> None:
        """Closes the stream."""
        await self._call.done_writing()
        async with asyncio.timeout(REPLY_BUDGET_S):
            await self._call.read()
