"""Each model learns from its segment, has the categories of its segment, and ranks better than chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.dragonfall.offers import Column, Offers, read_offers
from examples.dragonfall.segments import SEGMENTS
from examples.dragonfall.simulation import Players, simulate_players
from examples.dragonfall.training import Effort, as_frame, features, purchases_of, train, train_all

SMALL = Effort(rows=3_000, trees=30, leaves=15)
OTHER_SEED = 99


@pytest.fixture(scope="module")
def players() -> Players:
    return simulate_players(2_000, seed=1)


@pytest.fixture(scope="module")
def offers() -> Offers:
    return read_offers()


@pytest.fixture(scope="module")
def models(players: Players, offers: Offers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    assert list(train_all(players, offers, folder, SMALL)) == list(SEGMENTS)
    return folder


def area_under_curve(bought: Column, scores: Column) -> float:
    """The probability that a purchase has a higher score than a refusal (Mann-Whitney U)."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    buyers = bought.sum()
    return float((ranks[bought == 1].sum() - buyers * (buyers + 1) / 2) / (buyers * (len(bought) - buyers)))


def booster(file: Path) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=file)


def categories(file: Path) -> list[list[str]]:
    tail = file.read_text().rsplit("pandas_categorical:", 1)[1]
    lists: list[list[str]] = json.loads(tail)
    return lists


@pytest.mark.parametrize("name", SEGMENTS)
def test_model_ranks_unseen_log_ins_of_its_segment_better_than_chance(
    name: str, models: Path, players: Players, offers: Offers
) -> None:
    unseen = purchases_of(name, players, offers, 4_000, OTHER_SEED)
    frame = as_frame(features(players, offers, unseen.encounters))
    scores = booster(models / f"{name}.txt").predict(frame, num_threads=1)
    assert area_under_curve(unseen.bought, scores) > 0.65


def test_all_models_have_the_same_features(models: Path) -> None:
    names = {tuple(booster(models / f"{name}.txt").feature_name()) for name in SEGMENTS}
    assert len(names) == 1


def test_model_has_only_the_categories_of_its_segment(models: Path) -> None:
    assert ["id", "jp", "kr"] in categories(models / "asia.txt")
    assert ["br", "ca", "mx", "us"] in categories(models / "americas.txt")


def test_missing_text_is_not_a_category(models: Path) -> None:
    known = [text for name in SEGMENTS for texts in categories(models / f"{name}.txt") for text in texts]
    assert "" not in known
    assert None not in known


def test_history_contains_only_players_of_its_segment(players: Players, offers: Offers) -> None:
    history = purchases_of("asia", players, offers, 500, OTHER_SEED)
    assert set(players.columns["country"][history.encounters.player]) == {"jp", "kr", "id"}


def test_same_seed_trains_the_same_model(models: Path, players: Players, offers: Offers) -> None:
    name, number = "guild-leaders", list(SEGMENTS).index("guild-leaders")
    history = purchases_of(name, players, offers, SMALL.rows, SMALL.seed + number)
    again = train(features(players, offers, history.encounters), history.bought, SMALL)
    assert again.model_to_string() == booster(models / f"{name}.txt").model_to_string()
