"""Simulates the players of dragonfall and their log-ins; the same seed gives exactly the same game."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from examples.dragonfall.offers import Column

POPULATION = 10_000
SEED = 2026
# Country: (share of the players, mean wealth in standard deviations above the average).
COUNTRIES = {
    "us": (0.20, 0.5), "br": (0.12, -0.5), "mx": (0.06, -0.4), "ca": (0.04, 0.4),
    "de": (0.09, 0.4), "fr": (0.07, 0.3), "gb": (0.08, 0.4), "pl": (0.05, -0.1), "tr": (0.06, -0.5),
    "jp": (0.10, 0.7), "kr": (0.07, 0.5), "id": (0.06, -0.7),
}  # fmt: skip
PLATFORMS = {"ios": 0.42, "android": 0.48, "web": 0.10}
ELEMENTS = {"fire": 0.34, "water": 0.22, "earth": 0.16, "storm": 0.18, "": 0.10}
TEXT_COLUMNS = ("country", "device_tier", "guild_role", "favourite_element")


@dataclass(frozen=True, slots=True)
class Traits:
    """Hidden traits of the players, each a standard normal number; the game and the models never see them."""

    wealth: Column
    rivalry: Column
    fellowship: Column
    collecting: Column
    eagerness: Column


@dataclass(frozen=True, slots=True)
class Players:
    """A population; `columns` contains the recorded features, with NaN or "" for missing values."""

    ids: tuple[str, ...]
    traits: Traits
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Encounters:
    """Log-ins at which a player sees an offer, as columns of equal length.

    `player` and `offer` are row numbers; the other columns are context features, known only at the log-in.
    """

    player: Column
    offer: Column
    session_minutes: Column
    platform: Column
    is_weekend: Column

    def at(self, rows: Column | slice) -> Encounters:
        """Returns some of the encounters; `rows` is a slice, or has a flag for each encounter."""
        return Encounters(*(getattr(self, field.name)[rows] for field in fields(self)))


def simulate_players(count: int = POPULATION, seed: int = SEED) -> Players:
    """Draws `count` random players."""
    rng = np.random.default_rng(seed)
    country = rng.choice(list(COUNTRIES), size=count, p=[share for share, _ in COUNTRIES.values()])
    drawn = rng.normal(size=(5, count))
    drawn[0] += np.array([COUNTRIES[name][1] for name in country.tolist()])
    traits = Traits(*drawn)
    columns = {
        "country": country,
        **_device(traits, rng),
        **_habits(traits, rng),
        **_spending(traits, rng),
        **_guild(traits, rng),
        **_collection(traits, rng),
    }
    return Players(tuple(f"player-{number:05d}" for number in range(count)), traits, columns)


def draw_encounters(player: Column, offer: Column, rng: np.random.Generator) -> Encounters:
    """Draws the context features of log-ins; `player` and `offer` are row numbers."""
    count = len(player)
    return Encounters(
        player=player,
        offer=offer,
        session_minutes=np.round(rng.gamma(2.0, 9.0, count), 1),
        platform=rng.choice(list(PLATFORMS), size=count, p=list(PLATFORMS.values())),
        is_weekend=(rng.random(count) < 2 / 7).astype(np.float64),
    )


def write_players(players: Players, path: Path) -> None:
    """Writes the columns as CSV, `player_id` first; an empty cell is a missing value."""
    cells = [[_cell(value) for value in column.tolist()] for column in players.columns.values()]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["player_id", *players.columns])
        writer.writerows(zip(players.ids, *cells, strict=True))


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else format(value, ".12g")


def _device(traits: Traits, rng: np.random.Generator) -> dict[str, Column]:
    count = len(traits.wealth)
    rank = traits.wealth + rng.normal(0, 0.8, count)
    tier = np.select([rank > 0.9, rank > -0.6], ["high", "mid"], "low")
    crashes = rng.poisson(np.where(tier == "low", 1.2, 0.2)).astype(np.float64)
    return {
        "device_tier": np.where(rng.random(count) < 0.04, "", tier),
        "crashes_7d": _with_missing(crashes, 0.10, rng),
    }


def _habits(traits: Traits, rng: np.random.Generator) -> dict[str, Column]:
    count = len(traits.eagerness)
    age_days = np.floor(rng.exponential(160, count)) + 1
    level = 3 + 7 * np.log1p(age_days) + 4 * traits.eagerness + rng.normal(0, 2, count)
    minutes = np.exp(2.7 + 0.3 * traits.eagerness + rng.normal(0, 0.3, count))
    return {
        "days_since_install": age_days,
        "days_away": np.floor(rng.exponential(np.exp(1.3 - 0.8 * traits.eagerness))),
        "level": np.clip(np.round(level), 1, 80),
        "sessions_7d": rng.poisson(np.exp(1.6 + 0.5 * traits.eagerness)).astype(np.float64),
        "mean_session_minutes": _with_missing(np.round(minutes, 2), 0.15, rng),
    }


def _spending(traits: Traits, rng: np.random.Generator) -> dict[str, Column]:
    count = len(traits.wealth)
    pays = rng.random(count) < _sigmoid(0.2 + 1.2 * traits.wealth)
    spend = np.exp(2.6 + 1.1 * traits.wealth + rng.normal(0, 0.5, count))
    biggest = spend * rng.uniform(0.2, 0.7, count)
    return {
        "total_spend": np.where(pays, np.round(spend, 2), 0.0),
        "biggest_purchase": np.where(pays, np.round(biggest, 2), np.nan),
        "days_since_purchase": np.where(pays, np.floor(rng.exponential(40, count)), np.nan),
        "gems_balance": np.floor(np.exp(rng.normal(5, 1.2, count))),
    }


def _guild(traits: Traits, rng: np.random.Generator) -> dict[str, Column]:
    count = len(traits.fellowship)
    rank = traits.fellowship + rng.normal(0, 0.4, count)
    role = np.select([rank > 1.5, rank > 0.8, rank > -0.4], ["leader", "officer", "member"], "")
    matches = rng.poisson(np.exp(0.9 + 0.9 * traits.rivalry)).astype(np.float64)
    rating = np.round(1200 + 180 * traits.rivalry + rng.normal(0, 80, count))
    return {
        "guild_role": role,
        "guild_days": np.where(role == "", np.nan, np.floor(rng.exponential(90, count))),
        "chats_7d": rng.poisson(np.exp(1.0 + 0.9 * traits.fellowship)).astype(np.float64),
        "pvp_matches_7d": matches,
        "pvp_rating": np.where(matches > 0, rating, np.nan),
    }


def _collection(traits: Traits, rng: np.random.Generator) -> dict[str, Column]:
    count = len(traits.collecting)
    share = _sigmoid(-0.6 + 0.9 * traits.collecting + rng.normal(0, 0.4, count))
    return {
        "cards_share": np.round(share, 4),
        "dragons_owned": rng.poisson(np.exp(1.5 + 0.4 * traits.collecting)).astype(np.float64),
        "favourite_element": rng.choice(list(ELEMENTS), size=count, p=list(ELEMENTS.values())),
    }


def _with_missing(values: Column, share: float, rng: np.random.Generator) -> Column:
    """Replaces a `share` of the values by NaN, as in real telemetry."""
    return np.where(rng.random(len(values)) < share, np.nan, values)


def _sigmoid(logit: Column) -> Column:
    return 1 / (1 + np.exp(-logit))
