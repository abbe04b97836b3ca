from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.errors import CannotMeasure
from loadtest.game_inputs import Chosen, GameInputs, candidates_of, context_of, inputs_of, message_of

INPUTS = GameInputs(
    game="chess",
    player_ids=["anna", "böb"],
    context={"platform": "ios"},
    drawn={"is_weekend": [False, True], "minutes": [0.0, 5.0, 10.0]},
    offer_ids=["a", "b", "c", "d"],
    candidates=2,
)


def file_of(path: Path, *ids: str) -> Path:
    path.write_text("\n".join(ids) + "\n", encoding="utf-8")
    return path


def test_same_player_always_has_the_same_context_and_candidates() -> None:
    assert context_of(INPUTS, "anna") == context_of(INPUTS, "anna")
    assert candidates_of(INPUTS, "anna") == candidates_of(INPUTS, "anna")


def test_players_draw_all_values_and_all_candidates() -> None:
    players = [f"p{number}" for number in range(100)]
    contexts = [context_of(INPUTS, player) for player in players]
    assert {context["platform"] for context in contexts} == {"ios"}
    assert {context["minutes"] for context in contexts} == {0.0, 5.0, 10.0}
    drawn = [candidates_of(INPUTS, player) for player in players]
    assert {len(set(candidates)) for candidates in drawn} == {2}
    assert {offer for candidates in drawn for offer in candidates} == {"a", "b", "c", "d"}


def test_given_context_takes_precedence_over_a_drawn_value() -> None:
    assert context_of(replace(INPUTS, context={"minutes": 7.0}), "anna")["minutes"] == 7.0


def test_request_has_the_candidates_and_the_context_with_its_types() -> None:
    request = message_of(INPUTS, "GetOffer", "böb", "v2")
    assert (request.game, request.player_id, request.version) == ("chess", "böb", "v2")
    assert list(request.offer_ids) == candidates_of(INPUTS, "böb")
    kinds = {name: value.WhichOneof("kind") for name, value in request.context.items()}
    assert kinds == {"platform": "text", "is_weekend": "flag", "minutes": "number"}
    assert message_of(INPUTS, "Score", "böb").offer_id == candidates_of(INPUTS, "böb")[0]
    assert not message_of(replace(INPUTS, candidates=0), "GetOffer", "böb").offer_ids


def test_files_give_players_and_candidates(tmp_path: Path) -> None:
    players = file_of(tmp_path / "players", "anna", "", "böb", "7")
    offers = file_of(tmp_path / "offers", "a", "b")
    inputs = inputs_of(Chosen(player_ids=players, players=2, offer_ids=offers, context=["x=1", "y='1'"]), "chess")
    assert inputs.player_ids == ["anna", "böb"]
    assert (inputs.offer_ids, inputs.candidates) == (["a", "b"], 2)
    assert inputs.context == {"x": 1.0, "y": "1"}


def test_without_files_players_have_the_ids_of_the_example() -> None:
    assert inputs_of(Chosen(players=2), "chess").player_ids == ["player-00000", "player-00001"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (Chosen(player_ids=Path("/nowhere")), "--player-ids: cannot read /nowhere"),
        (Chosen(offer_ids=Path("/nowhere")), "--offer-ids: cannot read /nowhere"),
        (Chosen(candidates=3), "--candidates: 3 of 0 known offers"),
        (Chosen(players=0), "--players: 0 is not between 1 and"),
    ],
)
def test_wrong_option_is_named(chosen: Chosen, message: str) -> None:
    with pytest.raises(CannotMeasure, match=message):
        inputs_of(chosen, "chess")
