from __future__ import annotations

import pytest

from mesh.errors import WrongRequest
from mesh.wire import inference_pb2 as oip
from model_worker.oip_options import check_options
from tests.model_worker.requests import Factored, raw_request


def request() -> oip.ModelInferRequest:
    asked = raw_request(bytes(16), [1, 2])
    asked.outputs.add(name="scores")
    return asked


@pytest.mark.parametrize(
    ("name", "value"),
    [("sequence_id", 7), ("priority", 1), ("sequence_start", True), ("headers", "a"), ("pred_contrib", True)],
)
def test_option_that_the_worker_would_ignore_is_refused(name: str, value: int | str) -> None:
    for at, where in (("", "parameters"), ("inputs", "inputs[0].parameters"), ("outputs", "outputs[0].parameters")):
        asked = request()
        holder = getattr(asked, at)[0] if at else asked
        kind = "bool_param" if isinstance(value, bool) else "int64_param" if isinstance(value, int) else "string_param"
        setattr(holder.parameters[name], kind, value)
        with pytest.raises(WrongRequest) as refused:
            check_options(asked)
        assert refused.value.reason.startswith(f"{where}['{name}']: this worker does not support the option; remove it")


def test_shared_memory_and_classification_are_refused() -> None:
    for at, name, value in (("inputs", "shared_memory_byte_size", 8), ("outputs", "classification", 3)):
        asked = request()
        getattr(asked, at)[0].parameters[name].int64_param = value
        with pytest.raises(WrongRequest, match=name):
            check_options(asked)


def test_timeout_candidates_descriptions_and_options_that_are_off_are_accepted() -> None:
    asked = Factored([1.0, 2.0], name="list").request
    asked.parameters["timeout"].int64_param = 5
    asked.parameters["priority"].uint64_param = 0
    asked.parameters["sequence_end"].bool_param = False
    asked.inputs[0].parameters["binary_data_size"].int64_param = 16
    asked.inputs[0].parameters["content_type"].string_param = "np"
    check_options(asked)
