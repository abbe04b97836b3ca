"""The game dragonfall with a version that explores, another version without players, and its decisions in a log.

The players are simulated: the true probability of each purchase is known, and so is what each version really earns.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from examples.dragonfall import offers as shop
from examples.dragonfall.backend import logins
from examples.dragonfall.offers import Column, Offers, read_offers
from examples.dragonfall.simulation import Encounters, Players, draw_encounters, simulate_players, write_players
from examples.dragonfall.training import Effort, features, purchases_of, train
from examples.dragonfall.truth import chance
from mesh.wire import offers_pb2 as wire
from tests.started_mesh import MESH

GAME, LIVE, OTHER = "dragonfall", "2026-10", "2026-11"
MODELS: Mapping[str, tuple[str, ...]] = {
    LIVE: ("window-shoppers", "newcomers", "asia"),
    OTHER: ("minnows", "europe", "americas", "regulars"),
}
EFFORT = {LIVE: Effort(rows=600, trees=8, leaves=4), OTHER: Effort(rows=6_000, trees=40, leaves=15)}  # differ widely


@dataclass(frozen=True, slots=True)
class ExploringGame:
    """The catalog of the game, and its world."""

    catalog: Path
    players: Players
    offers: Offers

    def encounters(self, per_player: int, seed: int = 5) -> Encounters:
        """Returns the log-ins of all players; the column `offer` has no meaning yet."""
        player = np.repeat(np.arange(len(self.players.ids)), per_player)
        return draw_encounters(player, np.zeros_like(player), np.random.default_rng(seed))

    def requests(self, encounters: Encounters, **fields: Any) -> list[wire.GetOfferRequest]:
        """Returns a request for each encounter, with the same `fields` in each."""
        requests = logins(self.players, encounters)
        for request in requests:
            request.MergeFrom(wire.GetOfferRequest(**fields))
        return requests

    def chance(self, encounters: Encounters, offer_ids: list[str]) -> Column:
        """Returns the true probability of a purchase of the shown offers."""
        shown = np.array([self.offers.index(offer) for offer in offer_ids])
        return chance(self.players, self.offers, _with_offer(encounters, shown))


def build_game(folder: Path, explore: Mapping[str, object], players: int, log: Path | None = None) -> ExploringGame:
    """Trains the models, loads the players and writes the catalog; its live version has `explore`."""
    folder.mkdir(parents=True, exist_ok=True)
    simulated, offers = simulate_players(players), read_offers()
    for version, names in MODELS.items():
        for number, name in enumerate(names):
            effort = EFFORT[version]
            history = purchases_of(name, simulated, offers, effort.rows, effort.seed + number)
            columns = features(simulated, offers, history.encounters)
            train(columns, history.bought, effort).save_model(folder / f"{name}.txt")
    catalog = folder / "mesh.yaml"
    decisions = {} if log is None else {"decisions": {"to": str(log), "flush_s": 1}}
    catalog.write_text(yaml.safe_dump({**_catalog(explore), **decisions}, sort_keys=False))
    write_players(simulated, folder / "players.csv")
    subprocess.run([*MESH, "features", "load", str(folder / "players.csv"), "--catalog", str(catalog)], check=True)
    return ExploringGame(catalog, simulated, offers)


def _catalog(explore: Mapping[str, object]) -> dict[str, Any]:
    def version(name: str, traffic: int) -> dict[str, Any]:
        models = [{"name": model, "uri": f"{model}.txt"} for model in MODELS[name]]
        return {"traffic": traffic, "combine": {"kind": "mean", "quorum": len(models)}, "models": models}

    return {
        "game": GAME,
        "budget_ms": 5000,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 2000},
        "context": {"session_minutes": "number", "platform": "text", "is_weekend": "boolean"},
        "offers": {"path": str(shop.OFFERS_CSV), "fallback": shop.FALLBACK, "rank_by": "score"},
        "versions": {LIVE: {**version(LIVE, 100), "explore": dict(explore)}, OTHER: version(OTHER, 0)},
    }


def _with_offer(encounters: Encounters, offer: Column) -> Encounters:
    return Encounters(encounters.player, offer, encounters.session_minutes, encounters.platform, encounters.is_weekend)
