"""The backend of the game sends requests concurrently, and the demo evaluates the answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import grpc
import numpy as np
import pytest

from examples.dragonfall.backend import Answer, Request, ask
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.offers import FALLBACK, read_offers
from examples.dragonfall.report import as_text
from examples.dragonfall.results import Results, check, count_sources, earned, latency
from examples.dragonfall.simulation import draw_encounters, simulate_players
from examples.dragonfall.truth import revenue_of_every_offer
from mesh import serving
from mesh.tls.live import LiveTls
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import Certificates, security_with

Response = offers_pb2.GetOfferResponse
Context: TypeAlias = "grpc.aio.ServicerContext[Request, Response]"


def answer(offer_id: str, source: str = "ENSEMBLE", latency_ms: float = 1.0) -> Answer:
    return Answer("player", offer_id, None, source, "no-quorum: alone", latency_ms)


def answered(request: Request) -> Response:
    best = offers_pb2.RankedOffer(offer_id=f"for-{request.player_id}", score=0.1, expected_revenue=0.5)
    return Response(offers=[best], source=offers_pb2.ENSEMBLE)


class Shop(offers_pb2_grpc.OffersServicer):
    """Answers with `respond` when `callers` requests have arrived."""

    def __init__(self, respond: Callable[[Request], Response], callers: int) -> None:
        self._respond = respond
        self._together = asyncio.Barrier(callers)

    async def GetOffer(self, request: Request, context: Context) -> Response:
        if not request.player_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "player_id is empty")
        await self._together.wait()
        return self._respond(request)


@contextlib.asynccontextmanager
async def shop(
    respond: Callable[[Request], Response] = answered,
    callers: int = 1,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[str]:
    server = grpc.aio.server()
    offers_pb2_grpc.add_OffersServicer_to_server(Shop(respond, callers), server)  # type: ignore[no-untyped-call]
    port = serving.bind(server, "127.0.0.1", 0, credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_answers_are_in_the_order_of_the_requests() -> None:
    requests = [Request(player_id=str(number)) for number in range(12)]
    async with shop(callers=4) as address:
        answers = await ask(address, requests, callers=4)
    assert [each.offer_id for each in answers] == [f"for-{number}" for number in range(12)]


async def test_offers_are_asked_over_tls(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    credentials = LiveTls(certificates.server()).server_credentials()
    async with shop(credentials=credentials) as address:
        security = security_with(certificates.client())
        (answer,) = await ask(address, [Request(player_id="p")], callers=1, security=security)
    assert answer.offer_id == "for-p"


async def test_rejected_request_is_reported_with_the_message_of_the_mesh() -> None:
    async with shop() as address:
        with pytest.raises(ExampleFailed, match="INVALID_ARGUMENT: player_id is empty"):
            await ask(address, [Request()], callers=1)


async def test_answer_without_an_offer_is_a_failure() -> None:
    async with shop(lambda _: Response(reason="nothing-to-sell: empty")) as address:
        with pytest.raises(ExampleFailed, match="nothing-to-sell"):
            await ask(address, [Request(player_id="p")], callers=1)


async def test_fallback_has_no_expected_revenue() -> None:
    fallback = Response(offers=[offers_pb2.RankedOffer(offer_id=FALLBACK)], source=offers_pb2.FALLBACK)
    async with shop(lambda _: fallback) as address:
        (answer,) = await ask(address, [Request(player_id="p")], callers=1)
    assert (answer.expected_revenue_usd, answer.source) == (None, "FALLBACK")


def test_revenue_of_the_best_offers_and_of_the_fallback_is_exact() -> None:
    players, offers = simulate_players(200, seed=1), read_offers()
    rows = np.arange(len(players.ids))
    encounters = draw_encounters(rows, np.zeros_like(rows), np.random.default_rng(1))
    best = revenue_of_every_offer(players, offers, encounters).argmax(axis=1)
    all_knowing = earned([answer(offers.ids[row]) for row in best], players, offers, encounters)
    fallback = earned([answer(FALLBACK)] * len(rows), players, offers, encounters)
    assert all_knowing.personalised == pytest.approx(all_knowing.all_knowing)
    assert fallback.personalised == pytest.approx(fallback.fallback)


@pytest.fixture
def results() -> Results:
    players, offers = simulate_players(50, seed=1), read_offers()
    rows = np.arange(len(players.ids))
    encounters = draw_encounters(rows, np.zeros_like(rows), np.random.default_rng(1))
    answers = [answer("guild-warchest", latency_ms=float(number)) for number in range(50)]
    revenue = earned(answers, players, offers, encounters)
    return Results(tuple(answers[:3]), count_sources(answers), revenue, (latency(answers, 1),), 50, 60, "id")


def test_good_results_pass_the_check(results: Results) -> None:
    check(results)


def test_answers_with_fallbacks_only_are_a_failure_with_the_reason(results: Results) -> None:
    with pytest.raises(ExampleFailed, match="no-quorum: alone"):
        check(replace(results, sources={"FALLBACK": 50}))


def test_personalised_offers_that_earn_no_more_are_a_failure(results: Results) -> None:
    poor = replace(results.revenue, personalised=results.revenue.fallback)
    with pytest.raises(ExampleFailed, match="no more than the fallback"):
        check(replace(results, revenue=poor))


def test_text_compares_personalised_offers_with_the_fallback(results: Results) -> None:
    text = as_text(replace(results.revenue, personalised=1.5, fallback=0.5))
    assert "(50 log-ins): $1.50 with personalised offers and $0.50 with starter-pack" in text
    assert "Personalised offers earn 3.0 times as much." in text
