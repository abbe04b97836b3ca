from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest

from mesh.checking_server import CheckingServer
from mesh.factored_rows import pairs_taken
from mesh.model_file import ModelHeader
from mesh.serving import MESSAGE_LIMIT_BYTES, bind, lane_options, server_options
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker.batch import Work
from model_worker.forest import Candidates, CandidateTable
from model_worker.identity import Engine, Identity
from model_worker.queue import PredictQueue, QueueLimits, running_queue
from model_worker.service import InferenceService
from tests.model_worker.fakes import GatedForest, rows, scores
from tests.model_worker.requests import Factored, raw_request, typed_request

LIGHTGBM = Engine("lightgbm", "the proof failed: row 17")
HEADER = ModelHeader(("level", "platform"), {"platform": ("ios", "wéb")}, "binary", 1, 12)


class WatchedQueue:
    """Releases `admitted` for each request that is admitted."""

    def __init__(self, queue: PredictQueue) -> None:
        self._queue = queue
        self.admitted = asyncio.Semaphore(0)

    def submit(self, work: Work) -> None:
        self._queue.submit(work)
        self.admitted.release()

    def close(self) -> None:
        self._queue.close()


@dataclass
class Worker:
    """The service on a real port, with a forest that waits at a gate."""

    forest: GatedForest
    queue: WatchedQueue
    service: InferenceService
    channel: Any
    stub: Any
    refused: list[str]

    async def admitted(self) -> None:
        """Returns when one more request is admitted to the queue."""
        await self.queue.admitted.acquire()

    async def at_the_gate(self) -> None:
        assert await asyncio.to_thread(self.forest.entered.acquire, timeout=30)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    forest, refused = GatedForest(), list[str]()
    server = grpc.aio.server(options=server_options(MESSAGE_LIMIT_BYTES))
    async with running_queue(forest, QueueLimits(4, 8), lambda _batch: None, drain_s=30) as running:
        queue = WatchedQueue(running)
        service = InferenceService(
            Identity("forest", HEADER, "c0ffee", LIGHTGBM), queue, forest.table, 4, refused.append
        )
        inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(service, CheckingServer(server))  # type: ignore[no-untyped-call]
        port = bind(server, "127.0.0.1", 0)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=lane_options()) as channel:
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
            yield Worker(forest, queue, service, channel, stub, refused)
        forest.gate.set()
        await server.stop(5)


def ask(*first: float, request_id: str = "", timeout_us: int = 0) -> oip.ModelInferRequest:
    request = raw_request(rows(*first), [len(first), 2], request_id=request_id)
    if timeout_us:
        request.parameters["timeout"].int64_param = timeout_us
    return request


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, caught.value.details() or ""


async def test_raw_rows_get_raw_scores_and_their_cost(worker: Worker) -> None:
    response = await worker.stub.ModelInfer(ask(1, 2, request_id="a7"))
    assert (response.model_name, response.model_version, response.id) == ("forest", "1", "a7")
    assert list(response.raw_output_contents) == [scores(2, 3)]
    assert [(output.name, list(output.shape)) for output in response.outputs] == [("scores", [2])]
    assert response.parameters["predict_ns"].int64_param > 0
    assert response.parameters["queue_ns"].int64_param > 0
    assert 0 <= response.parameters["starved"].double_param <= 1


async def test_option_that_is_not_supported_is_refused_with_invalid_argument(worker: Worker) -> None:
    request = ask(1)
    request.parameters["sequence_id"].int64_param = 3
    code, text = await refusal(worker.stub.ModelInfer(request))
    assert (code, text.partition(":")[0]) == ("INVALID_ARGUMENT", "parameters['sequence_id']")
    assert worker.refused == ["INVALID_ARGUMENT"]


async def test_typed_rows_get_typed_scores(worker: Worker) -> None:
    response = await worker.stub.ModelInfer(typed_request([1, 0, 2, 0], [2, 2], datatype="FP32"))
    assert list(response.outputs[0].contents.fp64_contents) == [2, 3]


async def test_metadata_describe_the_model(worker: Worker) -> None:
    described = await worker.stub.ModelMetadata(oip.ModelMetadataRequest(name="forest"))
    assert (described.name, list(described.versions), described.platform) == ("forest", ["1"], "lightgbm_text")
    tensors = [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in (*described.inputs, *described.outputs)]
    assert tensors == [("features", "FP64", [-1, 2]), ("scores", "FP64", [-1])]
    assert described.properties["feature_names"] == '["level", "platform"]'
    assert described.properties["sha256"] == "c0ffee"
    assert described.properties["engine"] == "lightgbm"
    assert described.properties["engine_reason"] == "the proof failed: row 17"


async def test_configuration_includes_the_rows_in_the_shapes(worker: Worker) -> None:
    config = (await worker.stub.ModelConfig(oip.ModelConfigRequest(name="forest"))).config
    assert (config.name, config.backend, config.max_batch_size) == ("forest", "lightgbm", 0)
    assert (config.input[0].name, list(config.input[0].dims)) == ("features", [-1, 2])
    assert (config.output[0].data_type, list(config.output[0].dims)) == (oip.TYPE_FP64, [-1])


async def test_server_is_live_and_ready_until_it_drains(worker: Worker) -> None:
    assert (await worker.stub.ServerLive(oip.ServerLiveRequest())).live
    assert (await worker.stub.ServerReady(oip.ServerReadyRequest())).ready
    assert (await worker.stub.ModelReady(oip.ModelReadyRequest(name="forest"))).ready
    worker.service.drain()
    assert not (await worker.stub.ServerReady(oip.ServerReadyRequest())).ready
    assert not (await worker.stub.ModelReady(oip.ModelReadyRequest(name="forest"))).ready


@pytest.mark.parametrize(("name", "version"), [("other", ""), ("forest", "2"), ("", "")])
async def test_another_model_is_not_found(name: str, version: str, worker: Worker) -> None:
    request = ask(1)
    request.model_name, request.model_version = name, version
    for call in (
        worker.stub.ModelInfer(request),
        worker.stub.ModelReady(oip.ModelReadyRequest(name=name, version=version)),
        worker.stub.ModelMetadata(oip.ModelMetadataRequest(name=name, version=version)),
        worker.stub.ModelConfig(oip.ModelConfigRequest(name=name, version=version)),
    ):
        code, details = await refusal(call)
        assert code == "NOT_FOUND"
        assert "model_" in details


async def test_malformed_rows_are_an_invalid_argument_with_the_field(worker: Worker) -> None:
    code, details = await refusal(worker.stub.ModelInfer(raw_request(bytes(9), [1, 2])))
    assert (code, details) == ("INVALID_ARGUMENT", "raw_input_contents[0]: the shape needs 16 bytes, not 9")
    assert worker.refused == ["INVALID_ARGUMENT"]


async def test_call_is_refused_immediately_when_the_queue_is_full(worker: Worker) -> None:
    worker.forest.gate.clear()
    admitted = [asyncio.ensure_future(worker.stub.ModelInfer(ask(1, 2, 3, 4))) for _ in range(2)]
    await worker.at_the_gate()
    for _ in admitted:
        await worker.admitted()
    code, details = await refusal(worker.stub.ModelInfer(ask(5)))
    assert (code, details) == ("RESOURCE_EXHAUSTED", "the queue is full: 8 of 8 rows")
    worker.forest.gate.set()
    assert [(await call).raw_output_contents[0] for call in admitted] == [scores(2, 3, 4, 5)] * 2


async def test_call_whose_timeout_passes_in_the_queue_is_not_predicted(worker: Worker) -> None:
    worker.forest.gate.clear()
    first = asyncio.ensure_future(worker.stub.ModelInfer(ask(1)))
    await worker.at_the_gate()
    late = asyncio.ensure_future(worker.stub.ModelInfer(ask(2, timeout_us=1)))
    for _ in (first, late):
        await worker.admitted()
    worker.forest.gate.set()
    assert await refusal(late) == ("DEADLINE_EXCEEDED", "the deadline of the request passed in the queue")
    await first
    assert worker.forest.batches == [1]


async def test_call_whose_grpc_deadline_passes_in_the_queue_is_not_predicted(worker: Worker) -> None:
    worker.forest.gate.clear()
    first = asyncio.ensure_future(worker.stub.ModelInfer(ask(1)))
    await worker.at_the_gate()
    code, _ = await refusal(worker.stub.ModelInfer(ask(2), timeout=0.05))
    assert code == "DEADLINE_EXCEEDED"
    worker.forest.gate.set()
    await first
    await worker.stub.ModelInfer(ask(3))
    assert worker.forest.batches == [1, 1]


async def test_failure_of_the_model_is_internal_without_its_text(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.forest.failure = ValueError("secret")
    with caplog.at_level(logging.ERROR):
        assert await refusal(worker.stub.ModelInfer(ask(1))) == ("INTERNAL", "internal error")
    assert "secret" in caplog.text


async def test_stream_writes_results_by_id_as_they_are_ready(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    worker.forest.gate.clear()
    await stream.write(ask(1, request_id="slow"))
    await worker.at_the_gate()
    await stream.write(raw_request(b"", [1, 2], request_id="malformed"))
    early = await stream.read()
    assert early.infer_response.id == "malformed"
    worker.forest.gate.set()
    late = await stream.read()
    assert (late.infer_response.id, late.infer_response.raw_output_contents[0]) == ("slow", scores(2))
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_messages_of_a_stream_share_a_batch(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    worker.forest.gate.clear()
    await stream.write(ask(0, request_id="0"))
    await worker.at_the_gate()
    for number in range(1, 4):
        await stream.write(ask(number, request_id=str(number)))
    for _ in range(4):
        await worker.admitted()
    worker.forest.gate.set()
    results = {reply.infer_response.id: reply.infer_response for reply in [await stream.read() for _ in range(4)]}
    assert {key: result.raw_output_contents[0] for key, result in results.items()} == {
        str(number): scores(number + 1) for number in range(4)
    }
    assert worker.forest.batches == [1, 3]
    await stream.done_writing()


async def test_error_of_a_message_does_not_end_the_stream(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    await stream.write(raw_request(rows(1), [1, 2], request_id="wrong", model="other"))
    reply = await stream.read()
    sentence = "model_name: this worker serves 'forest', not 'other'"
    assert reply.error_message == f"NOT_FOUND: {sentence}"
    assert (reply.infer_response.id, reply.infer_response.model_name) == ("wrong", "forest")
    assert reply.infer_response.parameters["code"].string_param == "NOT_FOUND"
    await stream.write(ask(1, request_id="right"))
    reply = await stream.read()
    assert (reply.error_message, reply.infer_response.id) == ("", "right")
    await stream.done_writing()


async def test_malformed_message_ends_the_stream_after_the_results_before_it(worker: Worker) -> None:
    stream = worker.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")()
    worker.forest.gate.clear()
    await stream.write(ask(1, request_id="slow").SerializeToString())
    await worker.at_the_gate()
    await stream.write(b"\xff")
    worker.forest.gate.set()
    result = oip.ModelStreamInferResponse.FromString(await stream.read())
    assert result.infer_response.id == "slow"
    assert await stream.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await stream.details() == "the request is not an encoded inference.ModelInferRequest"


async def test_full_queue_and_passed_timeout_are_reported_in_the_stream(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    worker.forest.gate.clear()
    await stream.write(ask(1, request_id="first"))
    await worker.at_the_gate()
    await stream.write(ask(1, 2, 3, 4, request_id="late", timeout_us=1))
    await stream.write(ask(1, 2, 3, 4, request_id="too much"))
    reply = await stream.read()
    assert (reply.infer_response.id, reply.infer_response.parameters["code"].string_param) == (
        "too much",
        "RESOURCE_EXHAUSTED",
    )
    worker.forest.gate.set()
    codes = {
        reply.infer_response.id: reply.infer_response.parameters["code"].string_param
        for reply in [await stream.read() for _ in range(2)]
    }
    assert codes == {"first": "", "late": "DEADLINE_EXCEEDED"}
    await stream.done_writing()


async def test_cancelled_stream_affects_no_other(worker: Worker) -> None:
    stays, cancelled = worker.stub.ModelStreamInfer(), worker.stub.ModelStreamInfer()
    worker.forest.gate.clear()
    await stays.write(ask(1, request_id="stays"))
    await worker.at_the_gate()
    await cancelled.write(ask(2, request_id="cancelled"))
    for _ in range(2):
        await worker.admitted()
    cancelled.cancel()
    worker.forest.gate.set()
    assert (await stays.read()).infer_response.raw_output_contents[0] == scores(2)
    await stays.write(ask(3, request_id="more"))
    assert (await stays.read()).infer_response.raw_output_contents[0] == scores(4)
    await stays.done_writing()


class SilentClient:
    """The context of a stream whose client sends one message, and nothing more."""

    def __init__(self, request: oip.ModelInferRequest) -> None:
        self._requests = [request]
        self.written: list[oip.ModelStreamInferResponse] = []

    async def write(self, reply: oip.ModelStreamInferResponse) -> None:
        self.written.append(reply)

    async def read(self) -> oip.ModelInferRequest:
        if not self._requests:
            await asyncio.Event().wait()
        return self._requests.pop()


class IdleQueue:
    """Admits work, but never scores it."""

    def __init__(self) -> None:
        self.works: asyncio.Queue[Work] = asyncio.Queue()

    def submit(self, work: Work) -> None:
        self.works.put_nowait(work)

    def close(self) -> None: ...


async def test_queued_work_of_a_cancelled_stream_is_abandoned() -> None:
    queue = IdleQueue()
    service = InferenceService(
        Identity("forest", HEADER, "", LIGHTGBM), queue, GatedForest().table, 4, list[str]().append
    )
    client: Any = SilentClient(ask(1))
    stream = asyncio.ensure_future(service.ModelStreamInfer(None, client))
    work = await queue.works.get()
    assert not work.waiter.gone
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream
    assert work.waiter.gone


def shop(*shared: float, name: str = "shop", request_id: str = "") -> Factored:
    """Returns a request for candidates in the first column of rows whose second column is `shared`."""
    return Factored(*[(0, second) for second in shared], name=name, request_id=request_id)


async def results_of(stream: Any, *requests: Factored) -> list[bytes | str]:
    """Returns the scores or the status code of each request, sent one after the other: the queue holds 8 rows."""
    results = []
    for factored in requests:
        await stream.write(factored.request)
        results.append((await stream.read()).infer_response)
    return [
        result.raw_output_contents[0] if result.raw_output_contents else result.parameters["code"].string_param
        for result in results
    ]


async def test_stream_scores_pairs_with_its_remembered_candidates(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    results = await results_of(stream, shop(5).include([0], [1], [2]), shop(5, 6))
    results += await results_of(stream, shop(5, 6).picks([1], [1, 0]))  # the queue has no space for all three
    assert results == [scores(2, 3), scores(2, 3, 2, 3), scores(3, 3, 2)]
    await stream.done_writing()


async def test_new_candidates_replace_the_previous_ones(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    results = await results_of(
        stream, shop(5).include([0], [1]), shop(5, name="new").include([0], [7]), shop(5, name="new"), shop(5)
    )
    assert results == [scores(2), scores(8), scores(8), "FAILED_PRECONDITION"]
    assert worker.refused == ["FAILED_PRECONDITION"]
    await stream.done_writing()


async def test_each_stream_has_its_own_candidates(worker: Worker) -> None:
    one, other = worker.stub.ModelStreamInfer(), worker.stub.ModelStreamInfer()
    assert await results_of(one, shop(5).include([0], [1])) == [scores(2)]
    assert await results_of(other, shop(5), shop(5).include([0], [7])) == ["FAILED_PRECONDITION", scores(8)]
    assert await results_of(one, shop(5)) == [scores(2)]
    for stream in (one, other):
        await stream.done_writing()


async def test_stream_accepts_candidates_after_a_refusal(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    results = await results_of(stream, shop(5), shop(5).include([2], [1]), shop(5), shop(5).include([0], [1]), shop(5))
    assert results == ["FAILED_PRECONDITION", "INVALID_ARGUMENT", "FAILED_PRECONDITION", scores(2), scores(2)]
    await stream.done_writing()


async def test_candidates_of_a_refused_message_are_remembered(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    assert await results_of(stream, shop(*range(5)).include([0], [1]), shop(5)) == ["INVALID_ARGUMENT", scores(2)]
    await stream.done_writing()


async def test_single_call_includes_its_candidates(worker: Worker) -> None:
    response = await worker.stub.ModelInfer(shop(5, 6, name="").include([0], [1], [2]).request)
    assert (list(response.outputs[0].shape), response.raw_output_contents[0]) == ([4], scores(2, 3, 2, 3))
    code, details = await refusal(worker.stub.ModelInfer(shop(5).request))
    assert (code, details.partition(":")[0]) == ("FAILED_PRECONDITION", "parameters['candidates']")


async def test_pairs_count_as_rows(worker: Worker) -> None:
    code, details = await refusal(worker.stub.ModelInfer(shop(5).include([0], *[[1]] * 5).request))
    assert (code, details) == ("INVALID_ARGUMENT", "inputs: 5 pairs are too many; send at most 4 in each request")


async def test_factored_request_for_another_output_is_refused(worker: Worker) -> None:
    request = shop(5).include([0], [1]).request
    request.outputs.add(name="leaves")
    code, details = await refusal(worker.stub.ModelInfer(request))
    assert (code, details.partition(":")[0]) == ("INVALID_ARGUMENT", "outputs")


async def test_metadata_include_the_maximum_number_of_pairs(worker: Worker) -> None:
    described = await worker.stub.ModelMetadata(oip.ModelMetadataRequest(name="forest"))
    assert pairs_taken(described.properties) == 4


async def test_drain_refuses_a_message_whose_table_is_being_made() -> None:
    begun, made = threading.Event(), threading.Event()

    def make_table(candidates: Candidates) -> CandidateTable:
        begun.set()
        assert made.wait(30)
        return GatedForest().table(candidates)

    service = InferenceService(Identity("forest", HEADER, "", LIGHTGBM), IdleQueue(), make_table, 4, list[str]().append)
    client = SilentClient(shop(5, request_id="late").include([0], [1]).request)
    stream = asyncio.ensure_future(service.ModelStreamInfer(None, cast(Any, client)))
    assert await asyncio.to_thread(begun.wait, 30)
    service.drain()
    await asyncio.wait_for(stream, 30)
    made.set()
    (reply,) = client.written
    assert (reply.infer_response.id, reply.infer_response.parameters["code"].string_param) == ("late", "UNAVAILABLE")


async def test_drain_ends_a_stream_with_ok_after_its_last_result(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    worker.forest.gate.clear()
    await stream.write(ask(1, request_id="admitted"))
    await worker.at_the_gate()
    worker.service.drain()
    worker.forest.gate.set()
    assert (await stream.read()).infer_response.raw_output_contents[0] == scores(2)
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_drain_ends_an_idle_stream_with_ok(worker: Worker) -> None:
    stream = worker.stub.ModelStreamInfer()
    await stream.write(ask(1))
    await stream.read()
    worker.service.drain()
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_new_work_is_unavailable_during_a_drain(worker: Worker) -> None:
    worker.service.drain()
    code, details = await refusal(worker.stub.ModelInfer(ask(1)))
    assert (code, details.partition(":")[0]) == ("UNAVAILABLE", "draining")
    stream = worker.stub.ModelStreamInfer()
    assert await stream.code() is grpc.StatusCode.UNAVAILABLE


async def test_metadata_are_unavailable_during_a_drain(worker: Worker) -> None:
    worker.service.drain()
    code, _ = await refusal(worker.stub.ModelMetadata(oip.ModelMetadataRequest(name="forest")))
    assert code == "UNAVAILABLE"


def test_rows_on_the_wire_are_little_endian() -> None:
    assert rows(1.0)[:8] == struct.pack("<d", 1.0)
