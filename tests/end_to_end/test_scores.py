"""The scores of a mesh equal those of plain LightGBM, to the last bit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest

from mesh.reference.combination import mean, rank_mean
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import offline
from tests.end_to_end.meshes import FEW, Player, World
from tests.forests import KINDS, TrainedForest
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

CALLERS = 64
GAME = "testgame"
PRICES = {offer: float(row["price"]) for offer, row in offline.OFFER_ROWS.items()}


@pytest.mark.parametrize("version", list(offline.ROW_COMBINERS))
async def test_score_equals_lightgbm(world: World, mesh: StartedMesh, version: str) -> None:
    answers = await ask_all(mesh, "Score", [score_request(player, version) for player in world.players])

    models = forests(world, version)
    table = offline.table(models, world.players, "gem-chest")
    combine = offline.ROW_COMBINERS[version]
    weights = [1.0 + position / 7 for position in range(len(models))]
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    assert [answer.score for answer in answers] == [combine(votes, weights) for votes in table.T.tolist()]


@pytest.mark.parametrize("version", ["every-kind", "rank-mean"])
async def test_scores_of_ranked_offers_equal_lightgbm(world: World, mesh: StartedMesh, version: str) -> None:
    answers = await ask_all(mesh, "GetOffer", [offer_request(player, version) for player in world.players])

    expected = ranked_offline(world, version)
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    assert [[(o.offer_id, o.score, o.expected_revenue) for o in answer.offers] for answer in answers] == expected


@pytest.mark.parametrize("version", ["every-kind", "rank-mean"])
async def test_scores_equal_lightgbm_in_cohorts_that_mix_different_candidates(
    world: World, mesh: StartedMesh, version: str
) -> None:
    choices = itertools.cycle([(), ("gem-chest",), tuple(PRICES)[::-1], ("guild-banner", "starter-pack"), ()])
    asked = list(itertools.islice(choices, len(world.players)))
    requests = [offer_request(player, version, some) for player, some in zip(world.players, asked, strict=True)]
    answers = await ask_all(mesh, "GetOffer", requests)

    expected = ranked_offline(world, version, asked)
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    assert [[(o.offer_id, o.score, o.expected_revenue) for o in answer.offers] for answer in answers] == expected


async def test_score_and_getoffer_agree_if_the_score_is_a_rank(world: World, mesh: StartedMesh) -> None:
    player = world.players[1]
    (ranked,) = await ask_all(mesh, "GetOffer", [offer_request(player, "rank-mean")])
    (scored,) = await ask_all(mesh, "Score", [score_request(player, "rank-mean")])

    assert scored.score == next(offer.score for offer in ranked.offers if offer.offer_id == "gem-chest")


def ranked_offline(
    world: World, version: str, asked: Sequence[Sequence[str]] | None = None
) -> list[list[tuple[str, float, float]]]:
    """Returns each player's offers (`asked`, or all) with score and expected revenue, highest revenue first."""
    models = forests(world, version)
    tables = [offline.table(models, world.players, offer).T.tolist() for offer in PRICES]  # [offers][players][models]
    ranked = []
    for votes, some in zip(zip(*tables, strict=True), asked or [()] * len(world.players), strict=True):
        of_offer = dict(zip(PRICES, votes, strict=True))  # the votes of all models for one player
        offers = some or list(PRICES)
        rows = [of_offer[offer] for offer in offers]
        scores = rank_mean(rows) if version == "rank-mean" else [mean(row) for row in rows]
        priced = [(offer, score, score * PRICES[offer]) for offer, score in zip(offers, scores, strict=True)]
        ranked.append(sorted(priced, key=lambda offer: -offer[2]))
    return ranked


def forests(world: World, version: str) -> list[TrainedForest]:
    return [world.forests[kind] for kind in (KINDS if version == "every-kind" else FEW)]


def score_request(player: Player, version: str) -> wire.ScoreRequest:
    return wire.ScoreRequest(
        game=GAME, player_id=player.id, context=wire_context(player), offer_id="gem-chest", version=version
    )


def offer_request(player: Player, version: str, offers: Sequence[str] = ()) -> wire.GetOfferRequest:
    return wire.GetOfferRequest(
        game=GAME,
        player_id=player.id,
        context=wire_context(player),
        offer_ids=offers,
        limit=len(PRICES),
        version=version,
    )


def wire_context(player: Player) -> dict[str, wire.ContextValue]:
    return {
        name: wire.ContextValue(text=value) if isinstance(value, str) else wire.ContextValue(number=value)
        for name, value in offline.context_of(player).items()
    }


async def ask_all(mesh: StartedMesh, method: str, requests: Sequence[Any]) -> list[Any]:
    """Sends the requests, `CALLERS` at a time, so that they share cohorts of all sizes; returns the answers."""
    answers: list[Any] = [None] * len(requests)
    queue: Iterator[int] = iter(range(len(requests)))

    async def caller(ask: Any) -> None:
        for position in queue:
            answers[position] = await ask(requests[position], timeout=10)

    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(caller(getattr(stub, method)))
    return answers
