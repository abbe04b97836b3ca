"""Spans of a worker alone, from a real process to a real receiver, and a worker without the packages of traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker import tracing
from model_worker.tracing import WorkerTracer
from tests.forests import train
from tests.model_worker.processes import EndedWorker, RunningWorker, start
from tests.otlp_receiver import otlp_receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced")
    train("binary", folder)
    return folder / "binary.txt"


async def features_of(stub: Any) -> int:
    metadata = await stub.ModelMetadata(oip.ModelMetadataRequest(name="forest"))
    return int(metadata.inputs[0].shape[1])


async def test_call_to_a_worker_alone_continues_the_trace_of_its_caller(model: Path) -> None:
    async with otlp_receiver() as receiver:
        worker = await start(model, "--trace-to", receiver.address, "--trace-share", "0")
        assert isinstance(worker, RunningWorker)
        async with grpc.aio.insecure_channel(worker.address) as channel:
            stub: Any = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
            columns = await features_of(stub)
            request = oip.ModelInferRequest(model_name="forest")
            request.inputs.add(name="features", datatype="FP64", shape=[2, columns])
            request.raw_input_contents.append(bytes(16 * columns))
            await stub.ModelInfer(request)  # without a trace
            await stub.ModelInfer(request, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
        code, _ = await worker.stop()
        assert code == 0
        (one,) = receiver.spans
    assert (one.trace_id, one.span.parent_span_id.hex(), one.attributes["mesh.rows"]) == (TRACE, PARENT, 2)
    assert one.service == "ensemble-mesh-worker"


async def test_worker_without_the_packages_says_how_to_install_them(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ModuleNotFoundError(name='opentelemetry')")
    path = f"{tmp_path}:{Path(tracing.__file__).parents[1]}"
    monkeypatch.setenv("PYTHONPATH", path)
    worker = await start(model, "--trace-to", "127.0.0.1:4317")
    assert isinstance(worker, EndedWorker)
    assert worker.code == 2
    assert "pip install 'ensemble-mesh[tracing]'" in worker.stderr


def test_span_of_a_message_on_a_stream_needs_a_sampled_parent() -> None:
    class Nothing:
        def emit(self, span: object) -> None:
            raise AssertionError(span)

        def skip(self) -> None: ...

    tracer = WorkerTracer(Nothing(), "forest", 100)
    for flags, has_span in (("01", True), ("00", False)):
        request = oip.ModelInferRequest()
        request.parameters["traceparent"].string_param = f"00-{TRACE}-{PARENT}-{flags}"
        assert (tracer.of_message(request) is not None) == has_span
    assert tracer.of_message(oip.ModelInferRequest()) is None
