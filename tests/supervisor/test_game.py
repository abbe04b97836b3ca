"""Checks of queries, budgets, and the tickets that a game makes."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import MeshError, NotFound, NotSupported, WrongRequest
from mesh.starvation import CpuStarvation
from mesh.wire import offers_pb2 as wire
from supervisor.assembly import open_games, pools_of
from supervisor.game import Game
from supervisor.machine_starvation import MachineStarvation
from supervisor.messages import offer_query, score_query
from supervisor.metrics import Metrics
from supervisor.query import check_id
from supervisor.start_catalogs import load_catalogs
from supervisor.ticket import Ticket
from tests.mesh.test_ids import UNUSUAL_IDS
from tests.supervisor.backend import ask, write_game


@asynccontextmanager
async def opened(catalog: Path) -> AsyncIterator[Game]:
    starvation = MachineStarvation(CpuStarvation())
    async with open_games(load_catalogs([catalog]).values(), starvation, Metrics()) as games:
        yield games["g"]


async def test_lanes_of_all_games_share_one_bound_on_attempts_to_connect(tmp_path: Path) -> None:
    first = write_game(tmp_path, budget_ms=300)
    second = first.with_name("second.yaml")
    second.write_text(first.read_text().replace("game: g\n", "game: h\n"))
    async with open_games(
        load_catalogs([first, second]).values(), MachineStarvation(CpuStarvation()), Metrics()
    ) as games:
        assert set(games) == {"g", "h"}
        assert len({id(pool._gate) for pool in pools_of(games)}) == 1


@pytest.fixture
async def game(tmp_path: Path) -> AsyncIterator[Game]:
    async with opened(write_game(tmp_path, budget_ms=300)) as game:
        yield game


def ticket_of(game: Game, remaining_s: float | None = None, **fields: Any) -> Ticket:
    """The ticket of a GetOffer request for player p1, changed by `fields`."""
    return game.ticket_to_rank(offer_query(ask(**fields)), remaining_s)


def score_ticket_of(game: Game, **fields: Any) -> tuple[Ticket, str]:
    """The ticket of a Score request for player p1, changed by `fields`, and the offer that it scores."""
    request = wire.ScoreRequest(game="g", player_id="p1", **fields)
    return game.ticket_to_score(score_query(request), game.ensembles["v1"], None)


def without_offers(path: Path) -> Path:
    text = path.read_text()
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("offers:")))
    return path


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Game]:
    """A game without offers."""
    async with opened(without_offers(write_game(tmp_path))) as game:
        yield game


@pytest.mark.parametrize("value", ["x", "x" * 128, "é" * 64, "Player One #1", *UNUSUAL_IDS])
def test_id_is_any_printable_text(value: str) -> None:
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
def test_invalid_id_is_an_error_that_names_its_field(value: str, problem: str) -> None:
    with pytest.raises(WrongRequest, match=f"^player_id: .*{problem}"):
        check_id("player_id", value, required=True)


def test_optional_id_may_be_empty() -> None:
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
async def test_wrong_context_value_is_an_error_that_names_its_feature(
    game: Game, name: str, value: dict[str, Any], problem: str
) -> None:
    with pytest.raises(WrongRequest, match=rf"^context\.{name}: .*{problem}"):
        ticket_of(game, context={name: wire.ContextValue(**value)})


async def test_unknown_context_is_an_error_that_lists_the_known_features(game: Game) -> None:
    with pytest.raises(WrongRequest, match=r"^context: 'mood'.*minutes, platform, weekend"):
        ticket_of(game, context={"mood": wire.ContextValue(number=1)})


async def test_context_of_every_kind_is_in_the_ticket(game: Game) -> None:
    context = {
        "minutes": wire.ContextValue(number=1.5),
        "platform": wire.ContextValue(text=""),
        "weekend": wire.ContextValue(flag=False),
    }
    ticket = ticket_of(game, context=context)
    assert ticket.passenger.context == {"minutes": 1.5, "platform": "", "weekend": 0.0}


async def test_pinned_version_answers(game: Game) -> None:
    assert game.ensemble("p1", "v1").name == "v1"


async def test_unknown_version_is_an_error_that_names_its_field(game: Game) -> None:
    with pytest.raises(NotFound, match=r"^version: .*'v2'.*v1"):
        game.ensemble("p1", "v2")


async def test_unknown_offer_is_an_error_that_names_its_field(game: Game) -> None:
    with pytest.raises(NotFound, match=r"^offer_ids: .*'ghost'"):
        ticket_of(game, offer_ids=["gold", "ghost"])


async def test_offer_named_twice_is_an_error_that_names_its_field(game: Game) -> None:
    with pytest.raises(WrongRequest, match=r"^offer_ids: "):
        ticket_of(game, offer_ids=["gold", "silver", "gold"])


async def test_query_without_candidates_ranks_every_offer(game: Game) -> None:
    assert ticket_of(game).passenger.offers == range(3)


async def test_candidates_keep_their_order(game: Game) -> None:
    assert ticket_of(game, offer_ids=["silver", "starter"]).passenger.offers == (2, 0)


@pytest.mark.parametrize(("limit", "returned"), [(0, 1), (1, 1), (2, 2), (2**32 - 1, 3)])
async def test_limit_zero_means_one_and_a_large_limit_means_all(game: Game, limit: int, returned: int) -> None:
    assert ticket_of(game, limit=limit).limit == returned


async def test_score_needs_one_row(game: Game) -> None:
    ticket, offer = score_ticket_of(game, offer_id="silver")
    assert (ticket.passenger.offers, ticket.scored_row, offer) == ((2,), 0, "silver")


async def test_game_without_offers_cannot_rank(plain: Game) -> None:
    with pytest.raises(NotSupported, match="Score"):
        ticket_of(plain)


async def test_game_without_offers_scores_a_player(plain: Game) -> None:
    ticket, offer = score_ticket_of(plain)
    assert (ticket.passenger.rows, ticket.scored_row, offer) == (1, 0, "")


async def test_game_without_offers_refuses_an_offer_id(plain: Game) -> None:
    with pytest.raises(NotFound, match=r"^offer_id: "):
        score_ticket_of(plain, offer_id="gold")


@pytest.mark.parametrize(
    ("remaining_s", "budget_s"),
    [
        (None, 0.3),  # no deadline: the budget of the catalog
        (60.0, 0.3),  # at most the budget
        (0.65, 0.3),
        (0.5, 0.25),  # a short deadline keeps half: less than the reserve of 0.3 s
        (0.02, 0.01),
        (0.0, 0.0),
        (-1.0, -1.0),
    ],
)
async def test_budget_is_the_remaining_time_less_a_reserve_and_at_most_the_catalogs(
    game: Game, remaining_s: float | None, budget_s: float
) -> None:
    assert game._budget_s(remaining_s) == pytest.approx(budget_s)


@pytest.mark.parametrize(("remaining_s", "budget_s"), [(0.8, 0.5), (2.0, 1.69), (9.99, 9.59), (11.0, 10.0)])
async def test_reserve_covers_what_grpc_adds_to_a_long_deadline(
    game: Game, remaining_s: float, budget_s: float
) -> None:
    patient = dataclasses.replace(game, catalog=game.catalog.model_copy(update={"budget_ms": 10_000}))
    assert patient._budget_s(remaining_s) == pytest.approx(budget_s)


async def test_ticket_expires_at_the_end_of_its_budget(game: Game) -> None:
    before_s = time.monotonic()
    ticket = ticket_of(game, 0.2)
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


async def test_every_query_is_a_ticket_or_an_error_that_names_a_field(game: Game) -> None:
    @given(FIELDS)
    def check(fields: dict[str, Any]) -> None:
        query = offer_query(ask(**fields))
        try:
            check_id("player_id", query.player_id, required=True)
            game.ensemble(query.player_id, query.version)
            assert 1 <= game.ticket_to_rank(query, None).limit <= 3
        except MeshError as error:
            assert error.reason.partition(":")[0].partition(".")[0] in fields  # noqa: PT017

    check()
