"""A replica's reply to one message: scores, or an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Expired, MeshError, Overloaded, Unavailable, UnknownCandidates
from mesh.wire import inference_pb2 as oip

# Three errors of mesh/errors.py have the status FAILED_PRECONDITION; a worker uses only this one in a reply.
_ERRORS: dict[str, type[MeshError]] = {
    "RESOURCE_EXHAUSTED": Overloaded,
    "FAILED_PRECONDITION": UnknownCandidates,
    "DEADLINE_EXCEEDED": Expired,
}


@dataclass(frozen=True, slots=True)
class ScoreReply:
    """`values` is row-major [rows x classes]; `predict_s` and `queue_s` are None if the replica does not report them.

    `starved` is the share of time that the replica waits for a CPU, 0 to 1.
    """

    values: NDArray[np.float64]
    predict_s: float | None
    starved: float
    queue_s: float | None = None


def read_reply(reply: oip.ModelStreamInferResponse, rows: int) -> ScoreReply | MeshError:
    """Returns the scores in a reply to a message of `rows`, or its error, or Unavailable if it is malformed."""
    answer = reply.infer_response
    if reply.error_message:
        code = answer.parameters["code"].string_param
        return _ERRORS.get(code, Unavailable)(reply.error_message)
    raw = answer.raw_output_contents[0] if answer.raw_output_contents else b""
    if not raw or len(raw) % (8 * rows):
        return Unavailable(f"the replica sent {len(raw)} bytes of scores for {rows} rows")
    parameters = answer.parameters
    predict_s = parameters["predict_ns"].int64_param / 1e9 if "predict_ns" in parameters else None
    queue_s = parameters["queue_ns"].int64_param / 1e9 if "queue_ns" in parameters else None
    return ScoreReply(np.frombuffer(raw, "<f8"), predict_s, parameters["starved"].double_param, queue_s)
