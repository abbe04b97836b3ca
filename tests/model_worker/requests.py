"""Builds requests as clients do."""

from __future__ import annotations

import struct
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


class Factored:
    """A factored request with `shared` [requests][2], to be changed before it is sent."""

    def __init__(self, *shared: Sequence[float], name: str = "", request_id: str = "", model: str = "forest") -> None:
        self.request = oip.ModelInferRequest(model_name=model, id=request_id)
        if name:
            self.request.parameters["candidates"].string_param = name
        self.add("shared", "FP64", [len(shared), 2], [value for row in shared for value in row])

    def add(self, name: str, datatype: str, shape: Sequence[int], values: Sequence[float]) -> Factored:
        self.request.inputs.add(name=name, datatype=datatype, shape=shape)
        self.request.raw_input_contents.append(
            struct.pack(f"<{len(values)}{'d' if datatype == 'FP64' else 'I'}", *values)
        )
        return self

    def picks(self, *of_each: Sequence[int]) -> Factored:
        """Adds the candidates that each request asks for."""
        self.add("counts", "UINT32", [len(of_each)], [len(picks) for picks in of_each])
        return self.add("picks", "UINT32", [sum(map(len, of_each))], [pick for picks in of_each for pick in picks])

    def include(self, columns: Sequence[int], *candidates: Sequence[float]) -> Factored:
        """Adds the candidates."""
        self.add("columns", "UINT32", [len(columns)], columns)
        values = [value for candidate in candidates for value in candidate]
        return self.add("candidates", "FP64", [len(candidates), len(columns)], values)
