"""Calls of known and unknown callers over real ports with TLS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import generate_latest

from mesh.wire import offers_pb2 as wire
from supervisor import service
from supervisor.outcomes import service as outcome_service
from tests.supervisor.backend import ask
from tests.supervisor.callers.fake_call import LOBBY, SHOP, TOKEN, TOKEN_SHA256
from tests.supervisor.callers.secured import Secured, secured
from tests.supervisor.outcomes.test_outcome_calls import report

WITHIN_S = 20.0
NO_MESSAGE = b"\xff"
CALLS = 10
UNARY, STREAMS = ("GetOffer", "Score", "ReportOutcome"), ("StreamOffers", "StreamOutcomes")
CALLERS = f"""
  lobby: {{names: ["{LOBBY}"], methods: [GetOffer, StreamOffers], pins: [], weight: 4, critical: true}}
  scorer: {{names: [scorer.studio.example], methods: [Score, ReportOutcome]}}
  shop: {{names: [{SHOP}], token_sha256: [{TOKEN_SHA256}], requests_per_s: 0.01, burst: 2}}
"""
AUTHORIZED = (("authorization", f"Bearer {TOKEN}"),)


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path, CALLERS, decisions="{to: log}") as running:
        yield running


async def status(call: Any) -> tuple[str, str, dict[str, str]]:
    """Code, text and trailing metadata of a call."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        trailing = {key: str(value) for key, value in error.trailing_metadata()}
        return error.code().name, str(error.details()), trailing
    return "OK", "", {}


async def codes(channel: grpc.aio.Channel, body: bytes, **options: Any) -> dict[str, str]:
    """Calls every method with `body`; returns the code of each."""
    found = {}
    for method in UNARY:
        unary: Any = channel.unary_unary(f"/mesh.v1.Offers/{method}")
        found[method] = (await status(unary(body, timeout=WITHIN_S, **options)))[0]
    for method in STREAMS:
        stream: Any = channel.stream_stream(f"/mesh.v1.Offers/{method}")
        call = stream(iter([body]), timeout=WITHIN_S, **options)
        found[method] = (await call.code()).name
    return found


def counted(mesh: Secured, caller: str, outcome: str) -> float:
    labels = {"game": "g", "caller": caller, "outcome": outcome}
    return mesh.running.metrics.registry.get_sample_value("mesh_caller_requests_total", labels) or 0.0


async def test_caller_with_a_certificate_gets_answers_on_unary_calls_and_streams(mesh: Secured) -> None:
    stub = await mesh.stub("other.studio.example", LOBBY)
    answers = await asyncio.gather(*(stub.GetOffer(ask(), timeout=WITHIN_S) for _ in range(30)))
    assert {one.source for one in answers} == {wire.ENSEMBLE}
    stream = stub.StreamOffers(timeout=WITHIN_S)
    await stream.write(ask(request_id="r1"))
    assert (await stream.read()).source == wire.ENSEMBLE
    assert counted(mesh, "lobby", "ENSEMBLE") == 31


async def test_caller_with_a_token_gets_answers_and_is_over_its_quota_with_the_time_until_the_next(
    mesh: Secured,
) -> None:
    stub = await mesh.token_stub()
    answers = [await stub.GetOffer(ask(), timeout=WITHIN_S, metadata=AUTHORIZED) for _ in range(2)]
    assert {one.source for one in answers} == {wire.ENSEMBLE}
    for _ in range(CALLS - 1):
        code, text, trailing = await status(stub.GetOffer(ask(), timeout=WITHIN_S, metadata=AUTHORIZED))
        assert (code, text.split(";")[0]) == (
            "RESOURCE_EXHAUSTED",
            "over quota: caller shop may send 0.01 requests/s for g",
        )
        assert 90_000 < int(trailing["grpc-retry-pushback-ms"]) <= 100_000
    stream = stub.StreamOffers(timeout=WITHIN_S, metadata=AUTHORIZED)
    await stream.write(ask(request_id="r1"))
    refused = await stream.read()
    assert (refused.request_id, refused.error.code) == ("r1", grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    assert "send the next one in" in refused.error.message
    assert counted(mesh, "shop", "over-quota") == CALLS


@pytest.mark.parametrize("body", [b"", NO_MESSAGE])
async def test_unknown_peers_get_unauthenticated_whatever_they_send(mesh: Secured, body: bytes) -> None:
    for channel, metadata in (
        (await mesh.channel("stranger.studio.example"), ()),
        (await mesh.token_channel(), ()),
        (await mesh.token_channel(), (("authorization", "Bearer wrong"),)),
        (await mesh.token_channel(), (("authorization", TOKEN),)),
    ):
        assert await codes(channel, body, metadata=metadata) == dict.fromkeys([*UNARY, *STREAMS], "UNAUTHENTICATED")
    assert counted(mesh, "(unknown)", "unknown") == 4 * 5


async def test_calls_of_unknown_peers_are_refused_before_their_request_is_sent(mesh: Secured) -> None:
    channel: Any = await mesh.channel("stranger.studio.example")
    for method in STREAMS:
        call = channel.stream_stream(f"/mesh.v1.Offers/{method}")(timeout=WITHIN_S)
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    unary = [channel.stream_stream("/mesh.v1.Offers/Score")(timeout=WITHIN_S) for _ in range(10)]
    assert set(await asyncio.gather(*(call.code() for call in unary))) == {grpc.StatusCode.UNAUTHENTICATED}


async def test_methods_that_the_catalog_does_not_allow_are_refused_whatever_the_request_is(mesh: Secured) -> None:
    for name, allowed in (
        (LOBBY, {"GetOffer", "StreamOffers"}),
        ("scorer.studio.example", {"Score", "ReportOutcome", "StreamOutcomes"}),
    ):
        found = await codes(await mesh.channel(name), NO_MESSAGE)
        expected = {method: "INVALID_ARGUMENT" if method in allowed else "PERMISSION_DENIED" for method in found}
        assert found == expected


async def test_version_that_a_caller_may_not_name_is_refused(mesh: Secured) -> None:
    stub = await mesh.stub(LOBBY)
    code, text, _ = await status(stub.GetOffer(ask(version="v1"), timeout=WITHIN_S))
    assert (code, text) == ("PERMISSION_DENIED", "version: caller lobby may not name this one for g; leave it empty")
    stream = stub.StreamOffers(timeout=WITHIN_S)
    await stream.write(ask(request_id="r1", version="v1"))
    await stream.write(ask(request_id="r2"))
    found = {one.request_id: one for one in [await stream.read(), await stream.read()]}
    assert found["r1"].error.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert found["r2"].source == wire.ENSEMBLE


async def test_share_of_the_caller_travels_on_its_tickets(mesh: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str | None, float, bool]] = []
    admit = mesh.running.cohorts.admit

    def watched(route: Any, ticket: Any) -> None:
        seen.append((ticket.caller, ticket.weight, ticket.is_critical))
        admit(route, ticket)

    monkeypatch.setattr(mesh.running.cohorts, "admit", watched)
    await (await mesh.stub(LOBBY)).GetOffer(ask(), timeout=WITHIN_S)
    await (await mesh.stub(SHOP)).GetOffer(ask(), timeout=WITHIN_S)
    assert seen == [("lobby", 4.0, True), ("shop", 1.0, False)]


async def test_wrong_request_of_a_caller_is_counted(mesh: Secured) -> None:
    code, _, _ = await status((await mesh.stub(LOBBY)).GetOffer(ask(offer_ids=["nothing"]), timeout=WITHIN_S))
    assert (code, counted(mesh, "lobby", "wrong")) == ("NOT_FOUND", 1)


async def test_health_is_open_to_every_peer_that_may_connect(mesh: Secured) -> None:
    for channel in (await mesh.channel("stranger.studio.example"), await mesh.token_channel()):
        stub = health_pb2_grpc.HealthStub(channel)
        assert await stub.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN_S) is not None


async def test_metrics_and_log_name_no_peer_player_or_token(mesh: Secured, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "supervisor"):
        await codes(await mesh.channel("stranger.studio.example"), ask(player_id="p1").SerializeToString())
        channel = await mesh.token_channel()
        await codes(channel, ask(player_id="p1").SerializeToString(), metadata=(("authorization", "Bearer secret-x"),))
    page = generate_latest(mesh.running.metrics.registry).decode()
    assert "stranger" not in page
    assert not [line for line in (page, caplog.text) if "secret-x" in line or '"p1"' in line or TOKEN in line]
    assert len([line for line in caplog.messages if line.startswith("refused")]) == 2


async def test_bytes_that_cannot_be_parsed_end_a_stream_after_the_answers_before_them(
    mesh: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        call: Any = (await mesh.channel(LOBBY)).stream_stream("/mesh.v1.Offers/StreamOffers")(timeout=WITHIN_S)
        await call.write(ask(request_id="r1").SerializeToString())
        await call.write(NO_MESSAGE)
        assert wire.GetOfferResponse.FromString(await call.read()).request_id == "r1"
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await call.details() == "the request is not an encoded mesh.v1.GetOfferRequest"
    assert not caplog.records


async def test_caller_with_too_many_streams_leaves_streams_for_the_others(
    mesh: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_CALLER_STREAMS", 1)
    lobby, shop = await mesh.stub(LOBBY), await mesh.stub(SHOP)
    first = lobby.StreamOffers(timeout=WITHIN_S)
    await first.write(ask(request_id="r1"))
    assert (await first.read()).source == wire.ENSEMBLE
    assert (await lobby.StreamOffers(timeout=WITHIN_S).code()).name == "RESOURCE_EXHAUSTED"
    other = shop.StreamOffers(timeout=WITHIN_S)
    await other.write(ask(request_id="r1"))
    assert (await other.read()).source == wire.ENSEMBLE


async def test_caller_with_too_many_streams_of_outcomes_leaves_streams_for_the_others(
    mesh: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_service, "MAX_CALLER_STREAMS", 1)
    scorer, shop = await mesh.stub("scorer.studio.example"), await mesh.stub(SHOP)
    first = scorer.StreamOutcomes(timeout=WITHIN_S)
    await first.write(report())
    assert (await first.read()).outcome_id == "o1"
    assert (await scorer.StreamOutcomes(timeout=WITHIN_S).code()).name == "RESOURCE_EXHAUSTED"
    other = shop.StreamOutcomes(timeout=WITHIN_S)
    await other.write(report())
    assert (await other.read()).outcome_id == "o1"
