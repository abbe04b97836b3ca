"""The answer to a question: the offers to show, and where they come from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ensemble_mesh_client.wire import offers_pb2 as wire


class Source(enum.Enum):
    """Who chose the offers."""

    ENSEMBLE = "ensemble"  # every model of the version
    PARTIAL = "partial"  # a quorum of the models
    FALLBACK = "fallback"  # the catalog of the game: the mesh works, but its models did not rank the offers
    LOCAL = "local"  # this application: the mesh did not answer in time


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer to show; a fallback has no score."""

    offer_id: str
    score: float | None = None
    expected_revenue: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The offers to show, best first. `reason` says why it is not the answer of the whole ensemble.

    `decision_id` names the answer in reports of outcomes; an answer of the source LOCAL has none. `response` is the
    message of the mesh.
    """

    offers: tuple[Offer, ...]
    source: Source
    reason: str = ""
    version: str = ""
    decision_id: str = ""
    response: wire.GetOfferResponse | None = None

    @property
    def offer_id(self) -> str:
        """The offer to show first."""
        return self.offers[0].offer_id


_SOURCES = {wire.ENSEMBLE: Source.ENSEMBLE, wire.PARTIAL: Source.PARTIAL, wire.FALLBACK: Source.FALLBACK}


def of_response(response: wire.GetOfferResponse, fallback: str) -> Answer:
    """Returns the answer in a response without an error; `fallback` if it has no offer to show."""
    if not response.offers:
        return local(fallback, "the answer has no offer")
    offers = tuple(
        Offer(
            one.offer_id,
            one.score if one.HasField("score") else None,
            one.expected_revenue if one.HasField("expected_revenue") else None,
        )
        for one in response.offers
    )
    source = _SOURCES.get(response.source, Source.FALLBACK)
    return Answer(offers, source, response.reason, response.version, response.decision_id, response)


def local(offer_id: str, reason: str) -> Answer:
    """Returns the answer of the application itself."""
    return Answer((Offer(offer_id),), Source.LOCAL, reason)
