"""A request's own faults, budgets, and the tickets that requests become."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import MeshError, NotFound, NotSupported, WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor.assembly import load_catalogs, open_games
from supervisor.game import Game, check_id
from supervisor.metrics import Metrics
from supervisor.pressure import Pressure
from tests.supervisor.backend import ask, write_game


@pytest.fixture
async def game(tmp_path: Path) -> AsyncIterator[Game]:
    async with open_games(load_catalogs([write_game(tmp_path, budget_ms=300)]), Pressure(), Metrics()) as games:
        yield games["g"]


def without_offers(path: Path) -> Path:
    text = path.read_text()
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("offers:")))
    return path


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Game]:
    """A game without offers."""
    catalogs = load_catalogs([without_offers(write_game(tmp_path))])
    async with open_games(catalogs, Pressure(), Metrics()) as games:
        yield games["g"]


@pytest.mark.parametrize("value", ["x", "x" * 128, "é" * 64, "Player One #1"])
def test_an_id_is_any_printable_text(value: str) -> None:
    check_id("player_id", value, required=True)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        ("x" * 129, "128 bytes"),
        ("é" * 65, "128 bytes"),
        ("a\tb", "printed"),
        ("\u202ex", "printed"),
        ("\0", "printed"),
    ],
)
def test_an_id_that_is_none_names_its_field(value: str, problem: str) -> None:
    with pytest.raises(WrongRequest, match=f"^player_id: .*{problem}"):
        check_id("player_id", value, required=True)


def test_an_id_that_is_not_required_may_be_empty() -> None:
    check_id("request_id", "", required=False)


CONTEXTS: list[tuple[str, dict[str, Any], str]] = [
    ("minutes", {}, "empty"),
    ("minutes", {"text": "1"}, "text"),
    ("minutes", {"flag": True}, "flag"),
    ("minutes", {"number": math.nan}, "nan"),
    ("minutes", {"number": math.inf}, "inf"),
    ("minutes", {"number": -math.inf}, "-inf"),
    ("platform", {"number": 1.0}, "number"),
    ("platform", {"text": "x" * 1025}, "1024"),
    ("weekend", {"number": 1.0}, "number"),
]


@pytest.mark.parametrize(("name", "value", "problem"), CONTEXTS)
async def test_wrong_context_names_its_feature(game: Game, name: str, value: dict[str, Any], problem: str) -> None:
    with pytest.raises(WrongRequest, match=rf"^context\.{name}: .*{problem}"):
        game.ticket_to_rank(ask(context={name: wire.ContextValue(**value)}), None)


async def test_unknown_context_is_told_what_is_known(game: Game) -> None:
    with pytest.raises(WrongRequest, match=r"^context: 'mood'.*minutes, platform, weekend"):
        game.ticket_to_rank(ask(context={"mood": wire.ContextValue(number=1)}), None)


async def test_context_of_every_kind_comes_aboard(game: Game) -> None:
    context = {
        "minutes": wire.ContextValue(number=1.5),
        "platform": wire.ContextValue(text=""),
        "weekend": wire.ContextValue(flag=False),
    }
    ticket = game.ticket_to_rank(ask(context=context), None)
    assert ticket.passenger.context == {"minutes": 1.5, "platform": "", "weekend": 0.0}


async def test_a_pinned_version_is_the_one_that_answers(game: Game) -> None:
    assert game.ensemble("p1", "v1").name == "v1"


async def test_a_pinned_version_that_is_not_there_names_its_field(game: Game) -> None:
    with pytest.raises(NotFound, match=r"^version: .*'v2'.*v1"):
        game.ensemble("p1", "v2")


async def test_an_unknown_offer_names_its_field(game: Game) -> None:
    with pytest.raises(NotFound, match=r"^offer_ids: .*'ghost'"):
        game.ticket_to_rank(ask(offer_ids=["gold", "ghost"]), None)


async def test_an_offer_named_twice_names_its_field(game: Game) -> None:
    with pytest.raises(WrongRequest, match=r"^offer_ids: "):
        game.ticket_to_rank(ask(offer_ids=["gold", "silver", "gold"]), None)


async def test_without_candidates_every_offer_is_one(game: Game) -> None:
    assert game.ticket_to_rank(ask(), None).passenger.offers == range(3)


async def test_candidates_keep_their_order(game: Game) -> None:
    assert game.ticket_to_rank(ask(offer_ids=["silver", "starter"]), None).passenger.offers == (2, 0)


@pytest.mark.parametrize(("limit", "returned"), [(0, 1), (1, 1), (2, 2), (2**32 - 1, 3)])
async def test_a_limit_of_nothing_means_one_and_of_too_many_means_all(game: Game, limit: int, returned: int) -> None:
    assert game.ticket_to_rank(ask(limit=limit), None).limit == returned


async def test_a_score_is_for_one_row(game: Game) -> None:
    request = wire.ScoreRequest(game="g", player_id="p1", offer_id="silver")
    ticket, offer = game.ticket_to_score(request, game.ensembles["v1"], None)
    assert (ticket.passenger.offers, ticket.scored, offer) == ((2,), 0, "silver")


async def test_a_game_without_offers_has_none_to_rank(plain: Game) -> None:
    with pytest.raises(NotSupported, match="Score"):
        plain.ticket_to_rank(ask(), None)


async def test_a_game_without_offers_scores_a_player(plain: Game) -> None:
    ticket, offer = plain.ticket_to_score(wire.ScoreRequest(game="g", player_id="p1"), plain.ensembles["v1"], None)
    assert (ticket.passenger.rows, ticket.scored, offer) == (1, 0, "")


async def test_a_game_without_offers_knows_no_offer(plain: Game) -> None:
    request = wire.ScoreRequest(game="g", player_id="p1", offer_id="gold")
    with pytest.raises(NotFound, match=r"^offer_id: "):
        plain.ticket_to_score(request, plain.ensembles["v1"], None)


@pytest.mark.parametrize(
    ("remaining_s", "budget_s"),
    [
        (None, 0.3),  # nothing said: the catalog's budget
        (60.0, 0.3),  # capped by it
        (0.65, 0.3),
        (0.5, 0.25),  # half of a short one is kept back: less than the reserve of 0.3 s
        (0.02, 0.01),
        (0.0, 0.0),
        (-1.0, -1.0),
    ],
)
async def test_a_budget_is_the_callers_less_a_reserve_and_capped(
    game: Game, remaining_s: float | None, budget_s: float
) -> None:
    assert game._budget_s(remaining_s) == pytest.approx(budget_s)


async def test_a_ticket_expires_at_the_end_of_its_budget(game: Game) -> None:
    before_s = time.monotonic()
    ticket = game.ticket_to_rank(ask(), 0.2)
    assert before_s + 0.1 <= ticket.deadline_s <= time.monotonic() + 0.1


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "player_id": st.sampled_from(["", "p1", "x" * 300, "a\nb"]),
        "offer_ids": st.lists(st.sampled_from(["gold", "silver", "ghost", ""]), max_size=3),
        "limit": st.integers(0, 2**32 - 1),
        "version": st.sampled_from(["", "v1", "v2"]),
        "context": st.dictionaries(
            st.sampled_from(["minutes", "platform", "weekend", "mood", ""]),
            st.builds(wire.ContextValue, number=st.floats())
            | st.builds(wire.ContextValue, text=st.just("ios"))
            | st.builds(wire.ContextValue, flag=st.booleans())
            | st.builds(wire.ContextValue),
            max_size=2,
        ),
    },
)


def test_any_request_is_a_ticket_or_an_error_that_names_a_field(tmp_path: Path) -> None:
    catalogs = load_catalogs([write_game(tmp_path)])

    async def story() -> None:
        async with open_games(catalogs, Pressure(), Metrics()) as games:
            check(games["g"])

    def check(game: Game) -> None:
        @given(FIELDS)
        def one(fields: dict[str, Any]) -> None:
            request = ask(**fields)
            try:
                check_id("player_id", request.player_id, required=True)
                game.ensemble(request.player_id, request.version)
                assert 1 <= game.ticket_to_rank(request, None).limit <= 3
            except MeshError as error:
                assert error.reason.partition(":")[0].partition(".")[0] in fields  # noqa: PT017

        one()

    asyncio.run(story())
