"""What a worker says back: scores with what they cost, and errors inside a stream, which goes on."""

from __future__ import annotations

from mesh.errors import MeshError
from mesh.wire.inference_pb2 import ModelInferResponse, ModelStreamInferResponse
from model_worker.batch import Scored
from model_worker.identity import MODEL_VERSION
from model_worker.tensors import Question, encode


class Replies:
    """Builds the replies of one model, of `classes` scores a row."""

    def __init__(self, model: str, classes: int) -> None:
        self._model = model
        self._classes = classes

    def fill(self, response: ModelInferResponse, request_id: str, question: Question, scored: Scored) -> None:
        """Writes the answer to `question` into the empty `response`."""
        response.model_name, response.model_version = self._model, MODEL_VERSION
        response.id = request_id
        parameters = response.parameters
        parameters["predict_ns"].int64_param = scored.predict_ns
        parameters["queue_ns"].int64_param = scored.queue_ns
        parameters["starved"].double_param = scored.starved
        encode(scored.scores, question, self._classes, response)

    def refusal(self, request_id: str, error: MeshError) -> ModelStreamInferResponse:
        """`error` as one message of a stream: for people in `error_message`, for programs in `code`."""
        code = error.code.name
        reply = ModelStreamInferResponse(error_message=f"{code}: {error.reason}")
        response = reply.infer_response
        response.model_name, response.id = self._model, request_id
        response.parameters["code"].string_param = code
        return reply
