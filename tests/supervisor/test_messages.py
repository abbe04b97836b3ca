"""Translation between the messages of `mesh.v1.Offers` and queries and answers."""

from __future__ import annotations

from mesh.wire import offers_pb2 as wire
from supervisor.answers import Answer, Reason, ReasonWord, Source, Timings
from supervisor.messages import offer_query, offer_response, score_query, score_response
from supervisor.query import ContextValue, OfferQuery, ScoreQuery
from supervisor.ranking import RankedOffer

CONTEXT = {
    "minutes": wire.ContextValue(number=1.0),
    "weekend": wire.ContextValue(flag=True),
    "platform": wire.ContextValue(text="ios"),
    "mood": wire.ContextValue(),
}
VALUES: dict[str, ContextValue] = {"minutes": 1.0, "weekend": True, "platform": "ios", "mood": None}


def test_offer_request_without_options_is_a_query_with_defaults() -> None:
    request = wire.GetOfferRequest(game="g", player_id="p1")
    assert offer_query(request) == OfferQuery("p1", None, {}, [], 1)


def test_offer_request_is_a_query_with_its_options() -> None:
    request = wire.GetOfferRequest(player_id="p1", version="v1", context=CONTEXT, offer_ids=["a", "b"], limit=2)
    assert offer_query(request) == OfferQuery("p1", "v1", VALUES, ["a", "b"], 2)


def test_context_values_keep_their_types() -> None:
    context = offer_query(wire.GetOfferRequest(context=CONTEXT)).context
    assert {name: type(value) for name, value in context.items()} == {
        "minutes": float,
        "weekend": bool,
        "platform": str,
        "mood": type(None),
    }


def test_score_request_is_a_query() -> None:
    assert score_query(wire.ScoreRequest(player_id="p1")) == ScoreQuery("p1", None, {}, None)
    request = wire.ScoreRequest(player_id="p1", version="v1", context=CONTEXT, offer_id="a")
    assert score_query(request) == ScoreQuery("p1", "v1", VALUES, "a")


def test_answer_is_a_response_with_milliseconds() -> None:
    answer = Answer(
        Source.PARTIAL,
        Reason(ReasonWord.MISSING_MODELS, "m2"),
        offers=(RankedOffer("a", 0.5, None),),
        missing=(("m2", "no vote in time"),),
        features_age_s=1.5,
        timings=Timings(0.5, 0.25, 2.0, 0.125, "m1"),
        explored=True,
        propensity=0.25,
    )
    assert offer_response(answer, 3.0, "v1", "r1", "d1") == wire.GetOfferResponse(
        offers=[wire.RankedOffer(offer_id="a", score=0.5)],
        source=wire.PARTIAL,
        reason="missing-models: m2",
        version="v1",
        missing_models=[wire.MissingModel(model="m2", reason="no vote in time")],
        features_age_ms=1500,
        timings=wire.Timings(
            queue_ms=500, features_ms=250, fan_out_ms=2000, combine_ms=125, total_ms=3000, last_model="m1"
        ),
        request_id="r1",
        decision_id="d1",
        explored=True,
    )


def test_score_answer_is_a_response_with_its_offer() -> None:
    answer = Answer(Source.ENSEMBLE, None, score=0.25, unknown_player=True)
    assert score_response(answer, 0.0, "v1", "r1", "d1", "a") == wire.ScoreResponse(
        score=0.25,
        source=wire.ENSEMBLE,
        version="v1",
        timings=wire.Timings(),
        request_id="r1",
        decision_id="d1",
        unknown_player=True,
        offer_id="a",
    )
