"""Decodes and checks tensors of the Open Inference Protocol, and encodes scores as tensors."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.errors import WrongRequest
from mesh.wire.inference_pb2 import ModelInferRequest, ModelInferResponse
from model_worker.batch import Pairs

INPUT, OUTPUT = "features", "scores"  # the supervisor has the name of the input in supervisor/encoding.py, too
_FLOAT64_BYTES = 8
_TYPECODES = {"FP64": "d", "FP32": "f"}
_FIELDS = {"FP64": "fp64_contents", "FP32": "fp32_contents"}


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """The rows of one request, float64 [count, features], row-major, and whether they came as raw bytes.

    With `pairs`, `rows` are the rows that the pairs share, and `count` is the number of pairs.
    """

    rows: bytes
    count: int
    raw: bool
    pairs: Pairs | None = None


def decode(request: ModelInferRequest, features: int, max_rows: int) -> DecodedRequest:
    """Returns the rows of `request`, at least one; raises `WrongRequest` with the field and the fix."""
    inputs = request.inputs
    if len(inputs) != 1 or inputs[0].name != INPUT:
        names = [tensor.name for tensor in inputs]
        raise WrongRequest(f"inputs: send exactly one tensor, named '{INPUT}', not {names}")
    tensor = inputs[0]
    if tensor.datatype not in _TYPECODES:
        raise WrongRequest(f"inputs[0].datatype: must be FP64 or FP32, not '{tensor.datatype}'")
    count = _row_count(tensor.shape, features, max_rows)
    check_outputs(request)
    if request.raw_input_contents:
        return DecodedRequest(_raw_rows(request, count * features), count, raw=True)
    return DecodedRequest(_typed_rows(tensor, count * features), count, raw=False)


def check_outputs(request: ModelInferRequest) -> None:
    """Raises `WrongRequest` if `request` asks for an output that does not exist."""
    for output in request.outputs:
        if output.name != OUTPUT:
            raise WrongRequest(f"outputs: the only output is '{OUTPUT}', not '{output.name}'")


def encode(scores: bytes, decoded: DecodedRequest, classes: int, response: ModelInferResponse) -> None:
    """Adds `scores`, float64 [count, classes], to `response`: raw if the request was raw, else typed."""
    shape = (decoded.count,) if classes == 1 else (decoded.count, classes)
    output = response.outputs.add(name=OUTPUT, datatype="FP64", shape=shape)
    if decoded.raw:
        response.raw_output_contents.append(scores)
    else:
        output.contents.fp64_contents.extend(array("d", scores))


def expiry_ns(request: ModelInferRequest, arrived_ns: int) -> float:
    """Returns the expiry time by the parameter `timeout`, in microseconds as in Triton; 0 or absent means never."""
    if "timeout" not in request.parameters:
        return math.inf
    parameter = request.parameters["timeout"]
    given = getattr(parameter, parameter.WhichOneof("parameter_choice") or "", None)
    try:
        timeout_us = int(given) if isinstance(given, int | str) else -1
    except ValueError:
        timeout_us = -1
    if timeout_us < 0:
        raise WrongRequest(f"parameters['timeout']: must be a whole number of microseconds, not {given!r}")
    return arrived_ns + timeout_us * 1000 if timeout_us else math.inf


def _row_count(shape: Sequence[int], features: int, max_rows: int) -> int:
    if len(shape) != 2 or shape[1] != features or shape[0] < 1:
        raise WrongRequest(f"inputs[0].shape: must be [rows, {features}] with at least one row, not {list(shape)}")
    if shape[0] > max_rows:
        raise WrongRequest(f"inputs[0].shape: {shape[0]} rows are too many; send at most {max_rows} in each request")
    return shape[0]


def _raw_rows(request: ModelInferRequest, values: int) -> bytes:
    tensor, raw = request.inputs[0], request.raw_input_contents
    if tensor.HasField("contents") or len(raw) != 1:
        raise WrongRequest("raw_input_contents: send one entry for the input, and no contents")
    typecode, data = _TYPECODES[tensor.datatype], raw[0]
    size = values * (_FLOAT64_BYTES if typecode == "d" else _FLOAT64_BYTES // 2)
    if len(data) != size:
        raise WrongRequest(f"raw_input_contents[0]: the shape needs {size} bytes, not {len(data)}")
    return data if typecode == "d" else array("d", array("f", data)).tobytes()


def _typed_rows(tensor: ModelInferRequest.InferInputTensor, values: int) -> bytes:
    field = _FIELDS[tensor.datatype]
    if others := [kind.name for kind, _ in tensor.contents.ListFields() if kind.name != field]:
        raise WrongRequest(f"inputs[0].contents: {tensor.datatype} belongs in {field}, not in {others[0]}")
    given = getattr(tensor.contents, field)
    if len(given) != values:
        raise WrongRequest(f"inputs[0].contents.{field}: the shape needs {values} numbers, not {len(given)}")
    return array("d", given).tobytes()
