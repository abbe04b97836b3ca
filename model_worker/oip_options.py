"""The options of a request of the Open Inference Protocol: an option that the worker would ignore is refused.

The names are those of Triton, KServe and MLServer. A value of 0, false or "" switches an option off, so it is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from mesh.errors import WrongRequest
from mesh.factored_rows import NAME_PARAMETER
from mesh.tracing import traceparent
from mesh.wire.inference_pb2 import InferParameter, ModelInferRequest

TIMEOUT = "timeout"
_OF_REQUEST = frozenset({TIMEOUT, NAME_PARAMETER, traceparent.NAME})
# They describe the data and ask for nothing: their clients send them together with it.
_DESCRIPTIONS = frozenset({"content_type", "binary_data", "binary_data_size", "binary_data_output"})


def check_options(request: ModelInferRequest) -> None:
    """Raises `WrongRequest` with the first option in `request` that this worker does not support."""
    if request.parameters:
        _check("parameters", request.parameters, _OF_REQUEST)
    for position, tensor in enumerate(request.inputs):
        if tensor.parameters:
            _check(f"inputs[{position}].parameters", tensor.parameters, frozenset())
    for position, output in enumerate(request.outputs):
        if output.parameters:
            _check(f"outputs[{position}].parameters", output.parameters, frozenset())


def _check(where: str, parameters: Mapping[str, InferParameter], supported: Set[str]) -> None:
    for name, parameter in parameters.items():
        value = getattr(parameter, parameter.WhichOneof("parameter_choice") or "", None)
        if value and name not in supported and name not in _DESCRIPTIONS:
            known = f"; the supported ones are: {', '.join(sorted(supported))}" if supported else ""
            raise WrongRequest(f"{where}['{name}']: this worker does not support the option; remove it{known}")
