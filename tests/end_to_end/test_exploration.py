"""A game that explores, with real models and processes: what the answers show, and what they are good for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scipy import stats

from mesh.exploration import Explore, drawn, is_explorer
from tests.end_to_end.ask_all import ask_all
from tests.end_to_end.exploring_game import GAME, LIVE, ExploringGame, build_game
from tests.end_to_end.meshes import running
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

PLAYERS = 1_500
EXPLORE = Explore(kind="epsilon", share=20, top=6)


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> ExploringGame:
    folder = tmp_path_factory.mktemp("exploring")
    return build_game(folder, {"kind": "epsilon", "share": 20, "top": 6}, PLAYERS)


@pytest.fixture(scope="module")
def mesh(game: ExploringGame) -> Iterator[StartedMesh]:
    with running(game.catalog) as started:
        yield started


async def test_answers_of_the_share_can_be_drawn_again_from_their_ids(game: ExploringGame, mesh: StartedMesh) -> None:
    encounters = game.encounters(per_player=1)
    ranked = await ask_all(mesh.address, game.requests(encounters, version=LIVE, limit=99))
    shown = await ask_all(mesh.address, game.requests(encounters, limit=99))
    assert not any(answer.explored for answer in ranked)
    explored = 0
    for request, best, answer in zip(game.requests(encounters), ranked, shown, strict=True):
        assert answer.explored is is_explorer(EXPLORE, f"{GAME}/", request.player_id, answer.decision_id)
        order = [offer.offer_id for offer in best.offers]
        order.insert(0, order.pop(drawn([1 / 6] * 6, answer.decision_id) if answer.explored else 0))
        assert [offer.offer_id for offer in answer.offers] == order
        explored += answer.explored
    assert stats.binomtest(explored, PLAYERS, 0.2).pvalue > 0.001
