"""`mesh.v1.Offers` over a real port, with real lanes to fake replicas that the test controls."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import generate_latest

from mesh.players.features import PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from mesh.version_digest import version_digest
from mesh.wire import offers_pb2 as wire
from supervisor.answers import Source
from supervisor.messages import offer_query
from supervisor.rows import Passenger
from supervisor.ticket import Ticket
from tests.supervisor.backend import COLUMNS, MODELS, Backend, ask, backend, score_of
from tests.supervisor.replica import error_reply, silent, sums, until

WITHIN_S = 20.0
SHORT_S = 0.15


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Backend]:
    async with backend(tmp_path) as running:
        yield running


def score_request(**fields: Any) -> wire.ScoreRequest:
    return wire.ScoreRequest(**{"game": "g", "player_id": "p1", **fields})


def ids(answer: wire.GetOfferResponse) -> list[str]:
    return [offer.offer_id for offer in answer.offers]


async def test_whole_ensemble_ranks_the_best_offer(whole: Backend) -> None:
    answer = await whole.offer(request_id="r1")
    assert (answer.source, answer.reason, answer.version, answer.request_id) == (wire.ENSEMBLE, "", "v1", "r1")
    assert [(offer.offer_id, offer.score, offer.expected_revenue) for offer in answer.offers] == [
        ("gold", score_of("p1", 4), score_of("p1", 4) * 4)
    ]
    assert not answer.missing_models
    assert not answer.unknown_player
    assert 60_000 <= answer.features_age_ms < 600_000


async def test_answer_names_the_files_of_all_models(whole: Backend) -> None:
    files = dict.fromkeys(MODELS, "")  # the fake replicas have no files
    assert (await whole.offer()).version_digest == version_digest(files)
    await whole.replicas[0].stop()
    partial = await whole.offer()
    assert (partial.source, partial.version_digest) == (wire.PARTIAL, version_digest(files))


async def test_age_of_features_from_a_clock_ahead_is_zero_and_counted(whole: Backend) -> None:
    with replacing_store(whole.store, COLUMNS) as connection:
        write_players(connection, [("p1", PlayerFeatures(struct.pack("<d", 1.0), (), time.time() + 86_400))])
    answer = await whole.offer()
    assert (answer.HasField("features_age_ms"), answer.features_age_ms) == (True, 0)
    assert (
        'mesh_feature_clock_ahead_total{game="g",version="v1"} 1.0' in generate_latest(whole.metrics.registry).decode()
    )


async def test_limit_offers_are_returned_best_first(whole: Backend) -> None:
    assert ids(await whole.offer(limit=2)) == ["gold", "silver"]
    assert ids(await whole.offer(limit=99)) == ["gold", "silver", "starter"]


async def test_only_the_candidates_are_ranked(whole: Backend) -> None:
    assert ids(await whole.offer(offer_ids=["starter", "silver"], limit=9)) == ["silver", "starter"]


async def test_context_reaches_the_models(whole: Backend) -> None:
    answer = await whole.offer(context={"minutes": wire.ContextValue(number=10.0)})
    assert answer.offers[0].score == score_of("p1", 4, 10.0)


async def test_missing_context_is_listed_and_counted(whole: Backend) -> None:
    answers = [await whole.offer(), await whole.stub.Score(score_request(), timeout=WITHIN_S)]
    assert [list(answer.missing_inputs) for answer in answers] == [["minutes"], ["minutes"]]
    assert not (await whole.offer(context={"minutes": wire.ContextValue(number=1.0)})).missing_inputs
    page = generate_latest(whole.metrics.registry).decode()
    assert 'mesh_input_gaps_total{feature="minutes",game="g",gap="missing",version="v1"} 2.0' in page
    assert 'mesh_input_gaps_total{feature="level",game="g",gap="missing",version="v1"} 0.0' in page


async def test_score_is_the_ensemble_score_of_one_offer(whole: Backend) -> None:
    answer = await whole.stub.Score(score_request(offer_id="silver", request_id="r2"), timeout=WITHIN_S)
    assert (answer.source, answer.offer_id, answer.request_id) == (wire.ENSEMBLE, "silver", "r2")
    assert answer.score == score_of("p1", 2)


async def test_score_without_an_offer_scores_the_fallback_offer(whole: Backend) -> None:
    answer = await whole.stub.Score(score_request(), timeout=WITHIN_S)
    assert (answer.offer_id, answer.score) == ("starter", score_of("p1", 1))


async def test_timings_of_the_stages_add_up_to_at_most_the_total(whole: Backend) -> None:
    times = (await whole.offer()).timings
    stages = times.queue_ms + times.features_ms + times.fan_out_ms + times.combine_ms
    assert 0 < stages <= times.total_ms
    assert times.last_model in ("m0", "m1", "m2")


async def test_concurrent_requests_get_the_same_scores_as_alone(whole: Backend) -> None:
    players = ["p1", "p2", "p3"] * 20
    answers = await asyncio.gather(*(whole.offer(player_id=player, limit=3) for player in players))
    for player, answer in zip(players, answers, strict=True):
        assert [offer.score for offer in answer.offers] == [score_of(player, price) for price in (4, 2, 1)]


async def test_failed_model_is_listed_as_missing(whole: Backend) -> None:
    whole.replicas[1].respond = lambda request: [error_reply(request, "out of order")]
    answer = await whole.offer()
    assert (answer.source, answer.reason) == (wire.PARTIAL, "missing-models: m1")
    assert [(one.model, one.reason) for one in answer.missing_models] == [("m1", "out of order")]


async def test_answer_without_a_quorum_is_the_fallback_without_scores(whole: Backend) -> None:
    for played in whole.replicas[:2]:
        played.respond = lambda request: [error_reply(request, "out of order")]
    answer = await whole.offer()
    assert (answer.source, answer.reason) == (wire.FALLBACK, "quorum: 1 of the 2 votes needed")
    assert ids(answer) == ["starter"]
    assert not answer.offers[0].HasField("score")
    assert {one.model for one in answer.missing_models} == {"m0", "m1"}


async def test_score_without_a_quorum_is_unset(whole: Backend) -> None:
    for played in whole.replicas:
        played.respond = lambda request: [error_reply(request, "out of order")]
    answer = await whole.stub.Score(score_request(), timeout=WITHIN_S)
    assert (answer.source, answer.HasField("score")) == (wire.FALLBACK, False)


async def test_answer_without_any_worker_is_the_fallback(tmp_path: Path) -> None:
    async with backend(tmp_path, models=0) as running:
        answer = await running.offer()
        assert (answer.source, ids(answer)) == (wire.FALLBACK, ["starter"])
        assert {one.reason for one in answer.missing_models} == {"no replica is known"}


async def test_workers_that_start_later_complete_the_answers(tmp_path: Path) -> None:
    async with backend(tmp_path, models=2) as running:
        pools = running.game.ensembles["v1"].panel.pools
        await until(lambda: all(lane.state == "up" for pool in pools[:2] for lane in pool.lanes.values()))
        assert (await running.offer()).source == wire.PARTIAL
        pools[2].assign([running.replicas[0].address])
        await running.all_up()
        assert (await running.offer()).source == wire.ENSEMBLE


async def test_unknown_player_is_scored_on_missing_values(whole: Backend) -> None:
    answer = await whole.offer(player_id="nobody")
    assert (answer.source, answer.unknown_player) == (wire.ENSEMBLE, True)
    assert answer.reason.startswith("unknown-player: ")
    assert answer.offers[0].score == score_of("nobody", 4)
    assert not answer.HasField("features_age_ms")


async def test_unknown_player_gets_the_fallback_if_the_catalog_sets_it(tmp_path: Path) -> None:
    async with backend(tmp_path, unknown_player="fallback") as running:
        unknown, known = await asyncio.gather(running.offer(player_id="nobody"), running.offer())
        assert (unknown.source, ids(unknown)) == (wire.FALLBACK, ["starter"])
        assert unknown.reason.startswith("unknown-player: ")
        assert known.source == wire.ENSEMBLE


async def test_held_out_player_gets_the_fallback_and_the_models_are_not_asked(tmp_path: Path) -> None:
    async with backend(tmp_path, holdout=100) as running:
        offer, score = await running.offer(), await running.stub.Score(score_request(), timeout=WITHIN_S)
        assert (offer.source, ids(offer), offer.version) == (wire.FALLBACK, ["starter"], "v1")
        assert offer.reason == "holdout: the player belongs to the group without models"
        assert (score.source, score.HasField("score"), score.reason) == (wire.FALLBACK, False, offer.reason)
        page = generate_latest(running.metrics.registry).decode()
    assert 'mesh_requests_total{game="g",reason="holdout",source="FALLBACK",version="v1"} 2.0' in page
    assert 'mesh_cohort_requests_count{game="g",version="v1"} 0.0' in page


async def test_request_with_a_version_ignores_the_holdout(tmp_path: Path) -> None:
    async with backend(tmp_path, holdout=100) as running:
        pinned = [await running.offer(version="v1"), await running.stub.Score(score_request(version="v1"))]
        assert {answer.source for answer in pinned} == {wire.ENSEMBLE}


def remove(path: Path) -> None:
    path.unlink()


async def test_answer_without_a_store_is_the_fallback_with_the_reason(whole: Backend) -> None:
    remove(whole.store)
    answer = await whole.offer()
    assert (answer.source, ids(answer)) == (wire.FALLBACK, ["starter"])
    assert answer.reason.startswith("features: the store cannot be read")


async def test_player_read_before_is_scored_on_stale_features_without_a_store(tmp_path: Path) -> None:
    async with backend(tmp_path) as running:
        running.game.ensembles["v1"].route.features._ttl_s = 0.0  # every read goes to the store
        await running.offer()
        remove(running.store)
        known, other = await asyncio.gather(running.offer(), running.offer(player_id="p2"))
        assert (known.source, known.reason.partition(":")[0]) == (wire.ENSEMBLE, "stale-features")
        assert known.offers[0].score == score_of("p1", 4)
        assert other.source == wire.FALLBACK


async def test_players_are_scored_on_missing_values_without_a_store_if_the_catalog_sets_it(
    tmp_path: Path,
) -> None:
    async with backend(tmp_path, unread_player="ensemble", unknown_player="fallback") as running:
        remove(running.store)
        answer = await running.offer()
    assert (answer.source, answer.unknown_player) == (wire.ENSEMBLE, False)
    assert answer.reason.startswith("features: the store cannot be read")
    assert answer.reason.endswith("; scored on missing values")
    assert not answer.HasField("features_age_ms")


async def test_short_deadline_gets_a_partial_answer_and_the_rest_of_the_cohort_the_whole(whole: Backend) -> None:
    slow = whole.replicas[2]
    slow.respond = silent
    first = asyncio.create_task(whole.offer())  # under way before the next two
    await asyncio.wait_for(slow.received.get(), WITHIN_S)
    ensemble = whole.game.ensembles["v1"]
    hurried, patient = (whole.game.ticket_to_rank(offer_query(ask()), seconds) for seconds in (SHORT_S, None))
    hurried.version = patient.version = "v1"
    cohort = hurried.journey = patient.journey = ensemble.route.depart([hurried, patient])
    travelling = asyncio.create_task(cohort.travel(lambda _: None))
    asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + SHORT_S, ensemble._expire, hurried)
    await asyncio.wait_for(slow.received.get(), WITHIN_S)
    partial = await asyncio.wait_for(hurried.answer, WITHIN_S)
    assert [model for model, _ in partial.missing] == ["m2"]
    assert not patient.answer.done()
    slow.release(sums(0.5))
    await asyncio.wait_for(travelling, WITHIN_S)
    assert patient.answer.result().missing == ()
    assert (await first).source == wire.ENSEMBLE


async def test_deadline_shorter_than_one_model_gets_a_partial_answer_in_time(whole: Backend) -> None:
    whole.replicas[2].respond = silent
    answer = await whole.stub.GetOffer(ask(), timeout=1.0)
    assert (answer.source, answer.reason) == (wire.PARTIAL, "missing-models: m2")


async def test_deadline_shorter_than_every_model_gets_the_fallback_in_time(tmp_path: Path) -> None:
    async with backend(tmp_path, budget_ms=150) as running:
        for played in running.replicas:
            played.respond = silent
        answer = await running.offer()
        assert (answer.source, answer.reason) == (wire.FALLBACK, "quorum: 0 of the 2 votes needed")
        assert [one.reason for one in answer.missing_models] == ["no vote in time"] * 3
        await until(lambda: running.cohorts.under_way == 0)


async def test_request_without_time_left_gets_the_fallback_and_does_not_join_a_cohort(whole: Backend) -> None:
    now_s = time.monotonic()
    ticket = Ticket("p1", Passenger({}, (0,)), 1, None, now_s, now_s)
    answer, _ = await whole.game.ensembles["v1"].answer(ticket, whole.cohorts)
    assert (answer.source, str(answer.reason)) == (Source.FALLBACK, "deadline: no time was left on arrival")
    assert all(played.received.empty() for played in whole.replicas)


async def test_caller_that_leaves_does_not_affect_the_cohort(whole: Backend) -> None:
    slow = whole.replicas[2]
    slow.respond = silent
    leaving, staying = asyncio.create_task(whole.offer()), asyncio.create_task(whole.offer(player_id="p2"))
    await asyncio.wait_for(slow.received.get(), WITHIN_S)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    slow.release(sums(0.5))
    assert (await staying).source == wire.ENSEMBLE


async def test_cohort_ends_at_its_deadline_after_all_callers_have_left(tmp_path: Path) -> None:
    async with backend(tmp_path, budget_ms=200) as running:
        for played in running.replicas:
            played.respond = silent
        leaving = asyncio.create_task(running.offer())
        for played in running.replicas:
            await asyncio.wait_for(played.received.get(), WITHIN_S)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        try:
            await until(lambda: running.cohorts.under_way == 0, within_s=1.5)
            has_ended = True
        except TimeoutError:
            has_ended = False
        for played in running.replicas:  # a supervisor with a journey under way cannot stop, and the test would not end
            played.release(sums())
    assert has_ended


WRONG: list[tuple[dict[str, Any], grpc.StatusCode, str]] = [
    ({"game": "other"}, grpc.StatusCode.NOT_FOUND, "game: "),
    ({"version": "v9"}, grpc.StatusCode.NOT_FOUND, "version: "),
    ({"offer_ids": ["gold", "ghost"]}, grpc.StatusCode.NOT_FOUND, "offer_ids: "),
    ({"offer_ids": ["gold", "gold"]}, grpc.StatusCode.INVALID_ARGUMENT, "offer_ids: "),
    ({"player_id": ""}, grpc.StatusCode.INVALID_ARGUMENT, "player_id: "),
    ({"player_id": "x" * 129}, grpc.StatusCode.INVALID_ARGUMENT, "player_id: "),
    ({"player_id": "a\nb"}, grpc.StatusCode.INVALID_ARGUMENT, "player_id: "),
    ({"request_id": "x" * 129}, grpc.StatusCode.INVALID_ARGUMENT, "request_id: "),
    ({"context": {"mood": wire.ContextValue(number=1)}}, grpc.StatusCode.INVALID_ARGUMENT, "context: "),
    ({"context": {"minutes": wire.ContextValue(text="1")}}, grpc.StatusCode.INVALID_ARGUMENT, "context.minutes: "),
]


@pytest.mark.parametrize(
    ("fields", "code", "text"), WRONG, ids=[next(iter(w[0])) + str(n) for n, w in enumerate(WRONG)]
)
async def test_wrong_request_is_an_error_that_names_its_field(
    whole: Backend, fields: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await whole.offer(**fields)
    assert caught.value.code() is code
    assert (caught.value.details() or "").startswith(text)


async def test_score_error_for_an_unknown_offer_names_offer_id(whole: Backend) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await whole.stub.Score(score_request(offer_id="ghost"), timeout=WITHIN_S)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert (caught.value.details() or "").startswith("offer_id: ")


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "fields",
    [{"game": LONG}, {"version": LONG}, {"offer_ids": [LONG]}, {"context": {LONG: wire.ContextValue(number=1)}}],
    ids=["game", "version", "offer_ids", "context"],
)
async def test_oversized_name_is_a_wrong_request(whole: Backend, fields: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await whole.offer(**fields)
    assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    assert (caught.value.details() or "").startswith(next(iter(fields)))


async def stream_all(running: Backend, requests: Iterable[wire.GetOfferRequest]) -> dict[str, wire.GetOfferResponse]:
    """Sends `requests`, closes the sending side, and returns the responses by request id."""
    async with asyncio.timeout(WITHIN_S):
        return {answer.request_id: answer async for answer in running.stub.StreamOffers(iter(requests))}


async def test_stream_gets_all_answers_after_the_client_closes_its_side(whole: Backend) -> None:
    answers = await stream_all(whole, [ask(player_id=f"p{n % 3 + 1}", request_id=str(n)) for n in range(100)])
    assert {key: answer.offers[0].score for key, answer in answers.items()} == {
        str(n): score_of(f"p{n % 3 + 1}", 4) for n in range(100)
    }


async def test_wrong_request_on_a_stream_does_not_affect_the_others(whole: Backend) -> None:
    requests = [
        ask(request_id="a"),
        ask(request_id="b", game="other"),
        ask(request_id="c", player_id=""),
        ask(request_id="d"),
    ]
    answers = await stream_all(whole, requests)
    assert {key for key, answer in answers.items() if answer.source == wire.ENSEMBLE} == {"a", "d"}
    assert answers["b"].error.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answers["c"].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers["c"].error.message.startswith("player_id: ")


async def test_request_without_an_id_on_a_stream_is_an_error(whole: Backend) -> None:
    answers = await stream_all(whole, [ask(), ask(request_id="a")])
    assert answers[""].error.message.startswith("request_id: ")
    assert answers["a"].source == wire.ENSEMBLE


async def test_answers_on_a_stream_arrive_as_they_become_ready(whole: Backend) -> None:
    for played in whole.replicas:
        played.respond = silent
    call = whole.stub.StreamOffers(timeout=WITHIN_S)
    await call.write(ask(request_id="slow"))
    await asyncio.wait_for(whole.replicas[0].received.get(), WITHIN_S)
    await call.write(ask(request_id="wrong", game="other"))
    assert (await call.read()).request_id == "wrong"
    for played in whole.replicas:
        played.release(sums())
    assert (await call.read()).request_id == "slow"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_empty_stream_ends(whole: Backend) -> None:
    assert await stream_all(whole, []) == {}


async def test_client_that_disconnects_during_a_stream_does_not_affect_others(whole: Backend) -> None:
    call = whole.stub.StreamOffers(timeout=WITHIN_S)
    for number in range(300):
        await call.write(ask(request_id=str(number)))
    await call.read()
    call.cancel()
    await until(lambda: not whole.service._streams)
    assert (await whole.offer()).source == wire.ENSEMBLE
    await until(lambda: whole.cohorts.under_way == 0)


async def test_stream_that_opens_during_a_drain_ends_at_once(whole: Backend) -> None:
    whole.service.drain()
    call = whole.stub.StreamOffers(timeout=WITHIN_S)
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_drain_answers_the_requests_it_has_read_and_ends_the_stream(whole: Backend) -> None:
    call = whole.stub.StreamOffers(timeout=WITHIN_S)
    await call.write(ask(request_id="a"))
    assert (await call.read()).request_id == "a"
    slow = whole.replicas[0]
    slow.respond = silent
    await call.write(ask(request_id="b"))
    await until(lambda: bool(slow.held))
    whole.service.drain()
    slow.release(sums())
    assert (await call.read()).request_id == "b"
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("service", ["", "mesh.v1.Offers"])
async def test_health_reports_serving(whole: Backend, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(whole.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=WITHIN_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_services(whole: Backend) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(whole.channel)
    listed = [
        service.name
        async for answer in stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        for service in answer.list_services_response.service
    ]
    assert {"mesh.v1.Offers", "grpc.health.v1.Health"} <= set(listed)


async def test_metrics_count_the_answers(whole: Backend) -> None:
    await whole.offer()
    await whole.offer(player_id="nobody")
    whole.replicas[1].respond = lambda request: [error_reply(request, "out of order")]
    await whole.offer()
    await until(lambda: whole.cohorts.under_way == 0)
    page = generate_latest(whole.metrics.registry).decode()
    for line in (
        'mesh_requests_total{game="g",reason="none",source="ENSEMBLE",version="v1"} 1.0',
        'mesh_requests_total{game="g",reason="unknown-player",source="ENSEMBLE",version="v1"} 1.0',
        'mesh_requests_total{game="g",reason="missing-models",source="PARTIAL",version="v1"} 1.0',
        'mesh_model_misses_total{game="g",model="m1",version="v1"} 1.0',
        'mesh_request_seconds_count{game="g",version="v1"} 3.0',
        'mesh_stage_seconds_count{game="g",stage="fan_out",version="v1"} 3.0',
        'mesh_cohort_requests_count{game="g",version="v1"} 3.0',
        'mesh_cohort_rows_sum{game="g",version="v1"} 9.0',
        'mesh_lanes{game="g",model="m0",state="up",version="v1"} 1.0',
        'mesh_lanes_out{game="g",model="m0",version="v1"} 0.0',
        'mesh_second_try_rows_total{cause="overdue",game="g",model="m0",version="v1"} 0.0',
        'mesh_second_try_rows_total{cause="failed",game="g",model="m0",version="v1"} 0.0',
        'mesh_second_try_wins_total{game="g",model="m0",version="v1"} 0.0',
        'mesh_rows_waiting{game="g",model="m0",version="v1"} 0.0',
        'mesh_rows_outstanding{game="g",model="m0",version="v1"} 0.0',
        'mesh_requests_waiting{game="g",version="v1"} 0.0',
        "mesh_cohorts_under_way 0.0",
    ):
        assert line in page


async def test_request_behind_more_rows_than_the_models_can_score_is_refused_at_once(whole: Backend) -> None:
    pools = whole.game.ensembles["v1"].panel.pools
    for pool, played in zip(pools, whole.replicas, strict=True):
        played.respond = silent
        pool._generations.in_use.dealer.learn(1, 100.0)  # as if a reply took 100 s
    first = asyncio.create_task(whole.offer(timeout_s=1.0))
    await until(lambda: all(pool.outstanding_rows for pool in pools))
    refused = await asyncio.wait_for(whole.offer(), 5)
    assert (refused.source, refused.reason.partition(":")[0]) == (wire.FALLBACK, "overloaded")
    assert "the models need" in refused.reason
    assert (await first).source == wire.FALLBACK


async def test_answered_requests_leave_no_backlog(whole: Backend) -> None:
    backlog = whole.game.ensembles["v1"].route.backlogs["v1"]
    await whole.offer()
    await until(lambda: backlog.time_s({}, 1) == 0.0)
