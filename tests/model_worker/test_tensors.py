from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import WrongRequest
from mesh.wire import inference_pb2 as oip
from model_worker.tensors import DecodedRequest, decode, encode, expiry_ns
from tests.model_worker.requests import raw_request, typed_request

numbers64 = st.floats(width=64)
numbers32 = st.floats(width=32)
shapes = st.tuples(st.integers(1, 5), st.integers(1, 7))


def float64s(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


@given(st.data(), shapes)
def test_raw_and_typed_float64_give_identical_rows(data: st.DataObject, shape: tuple[int, int]) -> None:
    values = data.draw(st.lists(numbers64, min_size=math.prod(shape), max_size=math.prod(shape)))
    raw = decode(raw_request(float64s(values), shape), shape[1], max_rows=5)
    typed = decode(typed_request(values, shape), shape[1], max_rows=5)
    assert raw == DecodedRequest(float64s(values), shape[0], raw=True)
    assert typed == DecodedRequest(float64s(values), shape[0], raw=False)


@given(st.data(), shapes)
def test_float32_is_widened(data: st.DataObject, shape: tuple[int, int]) -> None:
    values = data.draw(st.lists(numbers32, min_size=math.prod(shape), max_size=math.prod(shape)))
    narrow = struct.pack(f"<{len(values)}f", *values)
    raw = decode(raw_request(narrow, shape, datatype="FP32"), shape[1], max_rows=5)
    typed = decode(typed_request(values, shape, datatype="FP32"), shape[1], max_rows=5)
    assert array("d", raw.rows).tolist() == pytest.approx(values, rel=0, abs=0, nan_ok=True)
    assert raw.rows == typed.rows


@given(st.binary(max_size=200), st.lists(st.integers(-3, 9), max_size=3), st.sampled_from(["FP64", "FP32", "INT64"]))
def test_random_request_is_decoded_to_its_exact_size_or_refused(data: bytes, shape: list[int], datatype: str) -> None:
    try:
        decoded = decode(raw_request(data, shape, datatype=datatype), 3, max_rows=4)
    except WrongRequest:
        return
    assert shape == [decoded.count, 3]
    assert 1 <= decoded.count <= 4
    assert len(decoded.rows) == decoded.count * 3 * 8


def changed(change: Callable[[oip.ModelInferRequest], object]) -> oip.ModelInferRequest:
    request = raw_request(bytes(48), [2, 3])
    change(request)
    return request


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda request: request.ClearField("inputs"), r"inputs: send exactly one tensor, named 'features', not \[\]"),
        (lambda request: request.inputs.add(name="features"), "inputs: send exactly one"),
        (lambda request: setattr(request.inputs[0], "name", "rows"), r"inputs: .* not \['rows'\]"),
        (lambda request: setattr(request.inputs[0], "datatype", "INT64"), r"inputs\[0\].datatype: .* not 'INT64'"),
        (lambda request: request.inputs[0].shape.append(1), r"inputs\[0\].shape: must be \[rows, 3\]"),
        (lambda request: request.inputs[0].shape.pop(), r"inputs\[0\].shape"),
        (lambda request: request.inputs[0].shape.__setitem__(1, 4), r"inputs\[0\].shape: .* not \[2, 4\]"),
        (lambda request: request.inputs[0].shape.__setitem__(0, 0), r"inputs\[0\].shape: .* at least one row"),
        (lambda request: request.inputs[0].shape.__setitem__(0, -2), r"inputs\[0\].shape"),
        (lambda request: request.inputs[0].shape.__setitem__(0, 9), r"9 rows are too many; send at most 8"),
        (lambda request: request.inputs[0].shape.__setitem__(0, 3), r"raw_input_contents\[0\]: .* 72 bytes, not 48"),
        (lambda request: request.raw_input_contents.append(b""), "raw_input_contents: send one entry"),
        (lambda request: request.inputs[0].contents.fp64_contents.append(1), "raw_input_contents: .* no contents"),
        (lambda request: request.outputs.add(name="leaves"), "outputs: the only output is 'scores', not 'leaves'"),
    ],
)  # fmt: skip
def test_malformed_request_is_refused_with_its_field(
    change: Callable[[oip.ModelInferRequest], object], complaint: str
) -> None:
    with pytest.raises(WrongRequest, match=complaint):
        decode(changed(change), 3, max_rows=8)


def test_typed_contents_of_another_type_are_refused() -> None:
    request = typed_request([], [1, 2])
    request.inputs[0].contents.fp32_contents.extend([1, 2])
    with pytest.raises(WrongRequest, match="FP64 belongs in fp64_contents, not in fp32_contents"):
        decode(request, 2, max_rows=8)


def test_too_few_typed_numbers_are_refused() -> None:
    with pytest.raises(WrongRequest, match="fp64_contents: the shape needs 4 numbers, not 3"):
        decode(typed_request([1, 2, 3], [2, 2]), 2, max_rows=8)


@pytest.mark.parametrize(("classes", "shape"), [(1, [2]), (3, [2, 3])])
@pytest.mark.parametrize("raw", [True, False])
def test_scores_are_encoded_in_the_form_of_the_rows(raw: bool, classes: int, shape: list[int]) -> None:
    values = [number / 7 for number in range(2 * classes)]
    response = oip.ModelInferResponse()
    encode(float64s(values), DecodedRequest(b"", 2, raw), classes, response)
    (output,) = response.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("scores", "FP64", shape)
    assert list(output.contents.fp64_contents) == ([] if raw else values)
    assert list(response.raw_output_contents) == ([float64s(values)] if raw else [])


@pytest.mark.parametrize(
    ("parameter", "expires_ns"),
    [
        (oip.InferParameter(int64_param=250), 251_000),
        (oip.InferParameter(uint64_param=250), 251_000),
        (oip.InferParameter(string_param="250"), 251_000),
        (oip.InferParameter(int64_param=0), math.inf),
    ],
)
def test_timeout_is_in_microseconds_from_arrival(parameter: oip.InferParameter, expires_ns: float) -> None:
    request = oip.ModelInferRequest(parameters={"timeout": parameter})
    assert expiry_ns(request, arrived_ns=1_000) == expires_ns


def test_request_without_a_timeout_does_not_expire() -> None:
    assert expiry_ns(oip.ModelInferRequest(), arrived_ns=1_000) == math.inf


@pytest.mark.parametrize(
    "parameter",
    [
        oip.InferParameter(int64_param=-1),
        oip.InferParameter(string_param="soon"),
        oip.InferParameter(double_param=0.5),
        oip.InferParameter(),
    ],
)
def test_wrong_timeout_is_refused(parameter: oip.InferParameter) -> None:
    request = oip.ModelInferRequest(parameters={"timeout": parameter})
    with pytest.raises(WrongRequest, match=r"parameters\['timeout'\]: must be a whole number of microseconds"):
        expiry_ns(request, arrived_ns=0)
