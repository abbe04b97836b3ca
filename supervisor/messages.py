"""Translates the messages of `mesh.v1.Offers`: requests into queries, answers into responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError

from mesh.errors import WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor.answers import Answer, Source
from supervisor.inputs import COMPLETE, MAX_NAMES
from supervisor.query import ContextValue, OfferQuery, ScoreQuery
from supervisor.ranking import RankedOffer

_SOURCES = {Source.ENSEMBLE: wire.ENSEMBLE, Source.PARTIAL: wire.PARTIAL, Source.FALLBACK: wire.FALLBACK}
_Request = TypeVar("_Request", wire.GetOfferRequest, wire.ScoreRequest, wire.ReportOutcomeRequest)
_LARGEST_AGE_MS = 2**63 - 1
_Response = TypeVar("_Response", wire.GetOfferResponse, wire.ScoreResponse)


def parse(message: type[_Request], encoded: bytes) -> _Request:
    """Parses an encoded request. Raises WrongRequest."""
    try:
        return message.FromString(encoded)
    except DecodeError:
        raise WrongRequest(f"the request is not an encoded {message.DESCRIPTOR.full_name}") from None


def offer_query(request: wire.GetOfferRequest) -> OfferQuery:
    """Returns the query of a GetOffer request."""
    return OfferQuery(
        request.player_id,
        request.version or None,
        _context(request.context),
        request.offer_ids[:],  # for 200 ids a quarter faster than tuple()
        request.limit or 1,
        request.request_id,
    )


def score_query(request: wire.ScoreRequest) -> ScoreQuery:
    """Returns the query of a Score request."""
    return ScoreQuery(
        request.player_id,
        request.version or None,
        _context(request.context),
        request.offer_id or None,
        request.request_id,
    )


def offer_response(
    answer: Answer, total_s: float, version: str, request_id: str, decision_id: str
) -> wire.GetOfferResponse:
    """Returns the response to a GetOffer request; `total_s` is the time since its admission."""
    response = wire.GetOfferResponse(offers=[_offer(offer) for offer in answer.offers], explored=answer.explored)
    return _describe(response, answer, total_s, version, request_id, decision_id)


def score_response(
    answer: Answer, total_s: float, version: str, request_id: str, decision_id: str, offer_id: str
) -> wire.ScoreResponse:
    """Returns the response to a Score request; `total_s` is the time since its admission."""
    response = wire.ScoreResponse(score=answer.score, offer_id=offer_id)
    return _describe(response, answer, total_s, version, request_id, decision_id)


def _context(context: Mapping[str, wire.ContextValue]) -> dict[str, ContextValue]:
    return {name: _value(value) for name, value in context.items()} if context else {}


def _value(value: wire.ContextValue) -> ContextValue:
    match value.WhichOneof("kind"):
        case "number":
            return value.number
        case "flag":
            return value.flag
        case "text":
            return value.text
    return None


def _describe(
    response: _Response, answer: Answer, total_s: float, version: str, request_id: str, decision_id: str
) -> _Response:
    response.source = _SOURCES[answer.source]
    response.version = version
    response.request_id = request_id
    response.decision_id = decision_id
    response.unknown_player = answer.unknown_player
    if answer.reason is not None:
        response.reason = str(answer.reason)
    if answer.features_age_s is not None:
        response.features_age_ms = _age_ms(answer.features_age_s)
    for model, reason in answer.missing:
        response.missing_models.add(model=model, reason=reason)
    if answer.gaps is not COMPLETE:
        response.missing_inputs.extend(answer.gaps.missing[:MAX_NAMES])
        response.unseen_inputs.extend(answer.gaps.unseen[:MAX_NAMES])
    response.version_digest = answer.version_digest
    times = answer.timings
    response.timings.queue_ms = times.queue_s * 1000
    response.timings.features_ms = times.features_s * 1000
    response.timings.fan_out_ms = times.fan_out_s * 1000
    response.timings.combine_ms = times.combine_s * 1000
    response.timings.total_ms = total_s * 1000
    response.timings.last_model = times.last_model
    return response


def _age_ms(age_s: float) -> int:
    """Returns an age in the range of the response; it is 0 if the clock that wrote the features is ahead of ours."""
    return min(int(max(0.0, age_s * 1000)), _LARGEST_AGE_MS)


def _offer(offer: RankedOffer) -> wire.RankedOffer:
    return wire.RankedOffer(offer_id=offer.offer_id, score=offer.score, expected_revenue=offer.expected_revenue)
