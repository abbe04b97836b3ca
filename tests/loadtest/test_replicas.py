from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import numpy as np
import pytest

from mesh.process import Launch, running
from mesh.wire import inference_pb2, inference_pb2_grpc

MEDIAN_MS = 20


@pytest.fixture
async def addresses(tmp_path: Path) -> AsyncIterator[Sequence[str]]:
    options = ["--replicas", "2", "--feature", "age", "--feature", "spend", "--median-ms", str(MEDIAN_MS)]
    command = [sys.executable, "-m", "loadtest.simulated.replicas", *options]
    async with running(Launch("replicas", command, tmp_path, tmp_path / "log")) as program:
        yield (await program.event("ready", 30.0))["addresses"]


def _request(number: int, rows: Sequence[Sequence[float]]) -> inference_pb2.ModelInferRequest:
    matrix = np.array(rows)
    request = inference_pb2.ModelInferRequest(model_name="m00", id=str(number), raw_input_contents=[matrix.tobytes()])
    request.inputs.add(name="features", datatype="FP64", shape=matrix.shape)
    return request


async def _exchange(
    address: str, requests: Sequence[inference_pb2.ModelInferRequest]
) -> list[inference_pb2.ModelInferResponse]:
    """Sends all `requests` on one stream, then reads the replies."""
    async with grpc.aio.insecure_channel(address) as channel:
        stream = inference_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer()  # type: ignore[no-untyped-call]
        for request in requests:
            await stream.write(request)
        await stream.done_writing()
        return [reply.infer_response async for reply in stream]


async def test_replies_are_in_order_with_their_ids_and_scores(addresses: Sequence[str]) -> None:
    requests = [_request(1, [[1.0, 9.0]]), _request(2, [[2.0, 9.0], [3.0, 9.0]]), _request(3, [[4.0, 9.0]])]
    replies = await _exchange(addresses[1], requests)
    assert [reply.id for reply in replies] == ["1", "2", "3"]
    scores = [np.frombuffer(reply.raw_output_contents[0]).tolist() for reply in replies]
    assert scores == [[1.0], [2.0, 3.0], [4.0]]
    assert [list(reply.outputs[0].shape) for reply in replies] == [[1], [2], [1]]


async def test_rows_are_served_one_at_a_time(addresses: Sequence[str]) -> None:
    requests = [_request(number, [[0.0, 0.0]]) for number in range(5)]
    before_ns = time.monotonic_ns()
    replies = await _exchange(addresses[0], requests)
    assert time.monotonic_ns() - before_ns >= sum(reply.parameters["predict_ns"].int64_param for reply in replies)


async def test_each_stream_is_its_own_replica(addresses: Sequence[str]) -> None:
    first, second = [await _exchange(address, [_request(1, [[0.0, 0.0]])]) for address in addresses]
    assert first[0].parameters["predict_ns"] != second[0].parameters["predict_ns"]
    assert [reply.parameters["queue_ns"].int64_param for reply in (*first, *second)] == [0, 0]


async def test_metadata_has_the_feature_names_in_the_format_of_a_worker(addresses: Sequence[str]) -> None:
    async with grpc.aio.insecure_channel(addresses[0]) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
        metadata = await stub.ModelMetadata(inference_pb2.ModelMetadataRequest(name="m07"))
    assert metadata.name == "m07"
    assert json.loads(metadata.properties["feature_names"]) == ["age", "spend"]
    assert [(tensor.name, list(tensor.shape)) for tensor in metadata.inputs] == [("features", [-1, 2])]
