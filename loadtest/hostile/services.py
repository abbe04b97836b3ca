"""The methods of both services, each with the bytes of a valid request, which attacks mutate."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from mesh.decision_id import new_id
from mesh.wire import inference_pb2 as oip
from mesh.wire import offers_pb2 as offers

_HEALTH = {"/grpc.health.v1.Health/Check": b""}
_HEALTH_STREAM = {"/grpc.health.v1.Health/Watch": b""}
_REFLECTION = {
    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo": b"\x3a\x00" for version in ("v1", "v1alpha")
}


@dataclass(frozen=True, slots=True)
class Service:
    """The methods that a port serves: `unary` take one message; `streams` take several. `main` is the usual one.

    `service_of(text)` returns an equal service.
    """

    text: str
    main: str
    unary: Mapping[str, bytes]
    streams: Mapping[str, bytes]

    @property
    def methods(self) -> dict[str, bytes]:
        """All methods."""
        return {**self.unary, **self.streams}


def service_of(text: str) -> Service:
    """Returns the service of a text: `supervisor/GAME/PLAYER` or `worker/MODEL/FEATURES`."""
    kind, name, detail = text.split("/")
    return supervisor(name, detail) if kind == "supervisor" else worker(name, int(detail))


def supervisor(game: str, player: str) -> Service:
    """The port of a supervisor that serves `game`."""
    context = {"session_minutes": offers.ContextValue(number=3.5), "platform": offers.ContextValue(text="ios")}
    offer = offers.GetOfferRequest(game=game, player_id=player, limit=3, request_id="r-1", context=context)
    decision = new_id()
    outcome = offers.ReportOutcomeRequest(game=game, outcome_id="o-1", decision_id=decision, kind=offers.SHOWN)
    score = offers.ScoreRequest(game=game, player_id=player, context=context)
    prefix = "/mesh.v1.Offers/"
    unary = {
        f"{prefix}GetOffer": offer.SerializeToString(),
        f"{prefix}Score": score.SerializeToString(),
        f"{prefix}ReportOutcome": outcome.SerializeToString(),
    }
    streams = {
        f"{prefix}StreamOffers": offer.SerializeToString(),
        f"{prefix}StreamOutcomes": outcome.SerializeToString(),
    }
    return _service(f"supervisor/{game}/{player}", f"{prefix}GetOffer", unary, streams)


def worker(model: str, features: int) -> Service:
    """The port of a worker that serves `model`, whose rows have `features` numbers."""
    tensor = oip.ModelInferRequest.InferInputTensor(name="rows", datatype="FP64", shape=[1, features])
    rows = struct.pack(f"<{features}d", *range(features))
    infer = oip.ModelInferRequest(model_name=model, id="r-1", inputs=[tensor], raw_input_contents=[rows])
    infer.parameters["timeout"].int64_param = 1_000_000
    named = oip.ModelReadyRequest(name=model).SerializeToString()  # the other two have the same bytes
    prefix = "/inference.GRPCInferenceService/"
    unary = {f"{prefix}{name}": b"" for name in ("ServerLive", "ServerReady", "ServerMetadata")}
    unary |= {f"{prefix}{name}": named for name in ("ModelReady", "ModelMetadata", "ModelConfig")}
    unary[f"{prefix}ModelInfer"] = infer.SerializeToString()
    streams = {f"{prefix}ModelStreamInfer": infer.SerializeToString()}
    return _service(f"worker/{model}/{features}", f"{prefix}ModelInfer", unary, streams)


def _service(text: str, main: str, unary: Mapping[str, bytes], streams: Mapping[str, bytes]) -> Service:
    return Service(text, main, {**unary, **_HEALTH}, {**streams, **_HEALTH_STREAM, **_REFLECTION})
