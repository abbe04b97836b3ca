"""Requests for players in DynamoDB: many at once, the same player twice, and invalid player ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from loadtest.measurement.plan import Plan
from loadtest.outages.client import Client, channel_to
from loadtest.outages.world import ENSEMBLE, World, running_world
from mesh.wire import offers_pb2

PATIENCE_S = 10.0

pytestmark = [pytest.mark.whole_machine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    plan = Plan(1, None, tmp_path_factory.mktemp("players"), lambda _: None, lambda _: None, lambda _: None)
    plan.logs.mkdir()
    async with running_world(plan, timeout_ms=5000) as running:
        yield running


async def test_250_concurrent_players_each_requested_twice_get_their_own_scores(served: World) -> None:
    players = list(served.scores)[:250]
    before = served.store.counts()
    async with channel_to(served.address) as channel:
        client = Client(channel, ENSEMBLE.game, players, PATIENCE_S)
        answers = await asyncio.gather(*(client.ask(player) for player in [*players, *players]))
    after = served.store.counts()
    wrong = [one for one in answers if one.score is None or abs(one.score - served.scores[one.player][0]) > 1e-9]
    assert wrong == []
    assert {(one.source, one.reason, one.error) for one in answers} == {("ENSEMBLE", "", "")}
    assert after["keys"] - before["keys"] <= 251  # each player once, and sometimes the columns
    # The number of cohorts depends on the load of the machine. Without batches this would be 250.
    assert after["requests"] - before["requests"] < 125


@pytest.mark.parametrize(
    ("player", "message"), [("", "player_id: is empty"), ("x" * 2048, "player_id: has 2048 bytes; use at most 128")]
)
async def test_invalid_player_id_is_rejected_with_the_name_of_the_field(
    served: World, player: str, message: str
) -> None:
    async with channel_to(served.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = channel.unary_unary("/mesh.v1.Offers/Score")
        request = offers_pb2.ScoreRequest(game=ENSEMBLE.game, player_id=player).SerializeToString()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(request, timeout=PATIENCE_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(refused.value.details()).startswith(message)
