"""Builds the responses of a worker: scores with their cost, and errors of single messages of a stream."""

from __future__ import annotations

from mesh.errors import MeshError
from mesh.wire.inference_pb2 import ModelInferResponse, ModelStreamInferResponse
from model_worker.batch import Scored
from model_worker.identity import MODEL_VERSION
from model_worker.tensors import DecodedRequest, encode


class Replies:
    """Builds the responses of one model with `classes` scores per row."""

    def __init__(self, model: str, classes: int) -> None:
        self._model = model
        self._classes = classes

    def fill(self, response: ModelInferResponse, request_id: str, decoded: DecodedRequest, scored: Scored) -> None:
        """Writes the scores of `decoded` into the empty `response`."""
        response.model_name, response.model_version = self._model, MODEL_VERSION
        response.id = request_id
        parameters = response.parameters
        parameters["predict_ns"].int64_param = scored.predict_ns
        parameters["queue_ns"].int64_param = scored.queue_ns
        parameters["starved"].double_param = scored.starved
        encode(scored.scores, decoded, self._classes, response)

    def error(self, request_id: str, error: MeshError) -> ModelStreamInferResponse:
        """Returns `error` as one message of a stream, with `error_message` for people and `code` for programs."""
        code = error.code.name
        reply = ModelStreamInferResponse(error_message=f"{code}: {error.reason}")
        response = reply.infer_response
        response.model_name, response.id = self._model, request_id
        response.parameters["code"].string_param = code
        return reply
