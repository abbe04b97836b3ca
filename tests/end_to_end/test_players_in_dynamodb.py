"""Players in DynamoDB, asked for through a whole mesh: many at once, some of them twice, some impossible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from loadtest.measurement.plan import Plan
from loadtest.outages.client import Client, channel_to
from loadtest.outages.world import ENSEMBLE, World, running_world
from mesh.wire import offers_pb2

PATIENCE_S = 10.0


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[World]:
    doubts: list[str] = []
    plan = Plan(1, None, tmp_path, lambda _: None, doubts.append, doubts.append)
    plan.logs.mkdir()
    async with running_world(plan, timeout_ms=5000) as running:
        yield running


async def test_250_players_at_once_each_of_them_twice_get_their_own_scores(served: World) -> None:
    players = list(served.scores)[:250]
    before = served.store.counts()
    async with channel_to(served.address) as channel:
        client = Client(channel, ENSEMBLE.game, players, PATIENCE_S)
        heard = await asyncio.gather(*(client.ask(player) for player in [*players, *players]))
    after = served.store.counts()
    wrong = [one for one in heard if one.score is None or abs(one.score - served.scores[one.player][0]) > 1e-9]
    assert wrong == []
    assert {(one.source, one.reason, one.error) for one in heard} == {("ENSEMBLE", "", "")}
    assert after["keys"] - before["keys"] <= 251  # each once, and now and then the columns
    assert after["requests"] - before["requests"] < 50


@pytest.mark.parametrize(
    ("player", "told"), [("", "player_id: is empty"), ("x" * 2048, "player_id: is longer than 128")]
)
async def test_an_impossible_player_is_a_wrong_request_that_names_the_field(
    served: World, player: str, told: str
) -> None:
    async with channel_to(served.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = channel.unary_unary("/mesh.v1.Offers/Score")
        request = offers_pb2.ScoreRequest(game=ENSEMBLE.game, player_id=player).SerializeToString()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(request, timeout=PATIENCE_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(refused.value.details()).startswith(told)
