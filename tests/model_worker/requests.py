"""Requests as clients make them."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.wire import inference_pb2 as oip


def raw_request(
    data: bytes, shape: Sequence[int], *, datatype: str = "FP64", request_id: str = "", model: str = "forest"
) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model, id=request_id, raw_input_contents=[data])
    request.inputs.add(name="features", datatype=datatype, shape=shape)
    return request


def typed_request(
    values: Sequence[float], shape: Sequence[int], *, datatype: str = "FP64", model: str = "forest"
) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name="features", datatype=datatype, shape=shape)
    contents = tensor.contents.fp64_contents if datatype == "FP64" else tensor.contents.fp32_contents
    contents.extend(values)
    return request
