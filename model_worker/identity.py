"""The identity of a worker and its model, and the metadata responses of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mesh import __version__
from mesh.errors import NotFound
from mesh.factored_rows import PROPERTY
from mesh.model_file import ModelHeader, to_properties
from mesh.tracing import traceparent
from mesh.wire import inference_pb2 as oip
from model_worker.tensors import INPUT, OUTPUT

MODEL_VERSION = "1"
PLATFORM, BACKEND = "lightgbm_text", "lightgbm"


@dataclass(frozen=True, slots=True)
class Engine:
    """The name of the engine that scores the rows; `forest` is our own. The loaded model itself is a `Forest`.

    `reason` is the reason why LightGBM scores instead; it is empty if our own engine scores.
    """

    name: Literal["forest", "lightgbm"]
    reason: str = ""

    @property
    def cause(self) -> str:
        """The reason up to its first colon: `the proof failed`, without the row."""
        return self.reason.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


@dataclass(frozen=True, slots=True)
class Identity:
    """The model of a worker: its name on the wire, its header, the SHA-256 of its file, and its engine."""

    name: str
    header: ModelHeader
    sha256: str
    engine: Engine

    def check(self, name: str, version: str) -> None:
        """Raises `NotFound` if a request is for another model, or for another version of this model."""
        if name != self.name:
            raise NotFound(f"model_name: this worker serves '{self.name}', not '{name}'")
        if version not in ("", MODEL_VERSION):
            raise NotFound(f"model_version: this worker serves version '{MODEL_VERSION}', not '{version}'")


def server_metadata() -> oip.ServerMetadataResponse:
    """Returns the response to ServerMetadata."""
    return oip.ServerMetadataResponse(name="ensemble-mesh model worker", version=__version__)


def model_metadata(identity: Identity, max_rows: int, *, makes_spans: bool = False) -> oip.ModelMetadataResponse:
    """Returns the response to ModelMetadata of a worker that accepts up to `max_rows` rows in a request.

    Its properties are the properties of `mesh.model_file`, the SHA-256 of the file, the engine and its reason, and the
    property of `mesh.factored_rows`. A worker that `makes_spans` has the property `traceparent`.
    """
    header = identity.header
    response = oip.ModelMetadataResponse(name=identity.name, versions=[MODEL_VERSION], platform=PLATFORM)
    response.inputs.add(name=INPUT, datatype="FP64", shape=_input_shape(header))
    response.outputs.add(name=OUTPUT, datatype="FP64", shape=_output_shape(header))
    response.properties.update(_properties(identity), **{PROPERTY: str(max_rows)})
    if makes_spans:
        response.properties[traceparent.PROPERTY] = "sampled"
    return response


def model_config(identity: Identity) -> oip.ModelConfigResponse:
    """Returns the response to Triton's ModelConfig. `max_batch_size` 0 means that the shapes include the rows."""
    header = identity.header
    config = oip.ModelConfig(name=identity.name, platform=PLATFORM, backend=BACKEND, max_batch_size=0)
    config.input.add(name=INPUT, data_type=oip.TYPE_FP64, dims=_input_shape(header))
    config.output.add(name=OUTPUT, data_type=oip.TYPE_FP64, dims=_output_shape(header))
    return oip.ModelConfigResponse(config=config)


def _properties(identity: Identity) -> Mapping[str, str]:
    engine = {"engine": identity.engine.name, "engine_reason": identity.engine.reason}
    return {**to_properties(identity.header), "sha256": identity.sha256, **engine}


def _input_shape(header: ModelHeader) -> list[int]:
    return [-1, len(header.feature_names)]


def _output_shape(header: ModelHeader) -> list[int]:
    return [-1] if header.classes == 1 else [-1, header.classes]
