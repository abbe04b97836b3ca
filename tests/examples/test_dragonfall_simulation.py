"""The simulation is reproducible, and the choice of the offer matters in it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from examples.dragonfall.offers import FALLBACK, Offers, read_offers
from examples.dragonfall.segments import SEGMENTS
from examples.dragonfall.simulation import (
    TEXT_COLUMNS,
    Encounters,
    Players,
    draw_encounters,
    simulate_players,
    write_players,
)
from examples.dragonfall.truth import chance, revenue_of_every_offer

COUNT = 2_000


@pytest.fixture(scope="module")
def players() -> Players:
    return simulate_players(COUNT, seed=1)


@pytest.fixture(scope="module")
def offers() -> Offers:
    return read_offers()


@pytest.fixture(scope="module")
def encounters(offers: Offers) -> Encounters:
    rng = np.random.default_rng(2)
    return draw_encounters(np.arange(COUNT), rng.integers(len(offers.ids), size=COUNT), rng)


def test_same_seed_gives_the_same_players(players: Players) -> None:
    again = simulate_players(COUNT, seed=1)
    for name, column in players.columns.items():
        np.testing.assert_array_equal(again.columns[name], column, err_msg=name)


def test_another_seed_gives_other_players(players: Players) -> None:
    other = simulate_players(COUNT, seed=2)
    assert not np.array_equal(other.columns["level"], players.columns["level"])


def test_players_file_equals_the_simulated_players(players: Players, tmp_path: Path) -> None:
    write_players(players, tmp_path / "players.csv")
    with (tmp_path / "players.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert next(iter(rows[0])) == "player_id"
    assert [row["player_id"] for row in rows] == list(players.ids)
    for name, column in players.columns.items():
        cells = [row[name] for row in rows]
        read = np.array(cells if name in TEXT_COLUMNS else [float(cell or "nan") for cell in cells])
        np.testing.assert_array_equal(read, column, err_msg=name)


def test_some_numbers_and_texts_are_missing(players: Players) -> None:
    unknown = {
        name
        for name, column in players.columns.items()
        if (np.any(column == "") if name in TEXT_COLUMNS else np.any(np.isnan(column)))
    }
    assert {"device_tier", "guild_role", "pvp_rating", "mean_session_minutes"} <= unknown


def test_no_two_segments_contain_the_same_players(players: Players) -> None:
    members = {name: SEGMENTS[name](players.columns).tobytes() for name in SEGMENTS}
    assert len(set(members.values())) == len(SEGMENTS)


@pytest.mark.parametrize("name", SEGMENTS)
def test_segment_is_neither_tiny_nor_the_whole_population(name: str, players: Players) -> None:
    share = SEGMENTS[name](players.columns).mean()
    assert 0.05 < share < 0.6


def test_chance_is_a_probability(players: Players, offers: Offers, encounters: Encounters) -> None:
    chances = chance(players, offers, encounters)
    assert chances.shape == (COUNT,)
    assert np.all((chances > 0) & (chances < 1))


def test_context_of_the_log_in_changes_the_chance(players: Players, offers: Offers) -> None:
    pair = np.zeros(1, dtype=np.int64), np.full(1, offers.index("arena-kit"))
    minutes, platform = np.array([10.0]), np.array(["ios"])
    weekday = Encounters(*pair, minutes, platform, np.array([0.0]))
    weekend = Encounters(*pair, minutes, platform, np.array([1.0]))
    assert chance(players, offers, weekend)[0] > chance(players, offers, weekday)[0]


def test_best_offer_for_each_player_earns_clearly_more_than_one_offer_for_all(
    players: Players, offers: Offers, encounters: Encounters
) -> None:
    revenue = revenue_of_every_offer(players, offers, encounters)
    personal = revenue.max(axis=1).mean()
    assert personal > 3 * revenue[:, offers.index(FALLBACK)].mean()
    assert personal > 1.5 * revenue.mean(axis=0).max()
