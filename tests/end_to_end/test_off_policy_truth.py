"""Estimates of another version from the log of a game that explores, compared with what it would really have earned."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesh.wire import offers_pb2 as wire
from tests.end_to_end.ask_all import ask_all
from tests.end_to_end.exploring_game import GAME, OTHER, ExploringGame, build_game
from tests.end_to_end.meshes import running
from tests.started_mesh import MESH

pytestmark = pytest.mark.whole_machine

PLAYERS, LOGINS = 2_000, 2
# Offers of similar prices, so that different players like different ones.
CANDIDATES = ("energy-barrel", "card-booster", "arena-kit", "guild-banner", "dragon-skin", "gem-pouch")
EXPLORE = {"kind": "softmax", "share": 20, "top": len(CANDIDATES), "temperature": 1}
MARGINS = 2.0  # four standard errors: the draws are of random ids, and an honest test must not fail once in 20 runs


@dataclass(frozen=True, slots=True)
class Evening:
    """An evening of the game: the log, the true means of the other version, and those of what was really shown."""

    log: Path
    decisions: int
    explored: int
    purchases: int
    true_conversion: float
    true_revenue: float


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> ExploringGame:
    folder = tmp_path_factory.mktemp("estimated")
    return build_game(folder, EXPLORE, PLAYERS, folder / "log")


@pytest.fixture(scope="module")
def evening(game: ExploringGame) -> Evening:
    with running(game.catalog) as mesh:
        return asyncio.run(play(game, mesh.address))


async def play(game: ExploringGame, address: str) -> Evening:
    """Shows offers to all players, reports their purchases, and asks the other version what it would have shown."""
    encounters, folder = game.encounters(LOGINS), game.catalog.parent
    shown = await ask_all(address, game.requests(encounters, offer_ids=CANDIDATES))
    offers = [answer.offers[0].offer_id for answer in shown]
    bought = np.random.default_rng(8).random(len(shown)) < game.chance(encounters, offers)
    prices = [float(game.offers.prices[game.offers.index(offer)]) for offer in offers]
    _report(folder / "outcomes.csv", address, shown, bought, prices)
    pinned = game.requests(encounters, offer_ids=CANDIDATES, version=OTHER)
    others = [answer.offers[0].offer_id for answer in await ask_all(address, pinned)]
    chances = game.chance(encounters, others)
    values = game.offers.prices[[game.offers.index(offer) for offer in others]]
    return Evening(
        log=folder / "log",
        decisions=len(shown),
        explored=sum(answer.explored for answer in shown),
        purchases=int(bought.sum()),
        true_conversion=float(chances.mean()),
        true_revenue=float((chances * values).mean()),
    )


def _report(
    path: Path,
    address: str,
    shown: Sequence[wire.GetOfferResponse],
    bought: NDArray[np.bool_],
    prices: Sequence[float],
) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["decision_id", "kind", "value", "currency"])
        for answer, is_bought, price in zip(shown, bought.tolist(), prices, strict=True):
            if is_bought:
                writer.writerow([answer.decision_id, "purchased", repr(price), "USD"])
    command = [*MESH, "outcome", "--game", GAME, "--address", address, "--file", str(path), "--json"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # on a busy machine, 50 a second


def replayed(game: ExploringGame, *options: str) -> Any:
    command = [*MESH, "decisions", "replay", str(game.catalog.parent / "log"), "--catalog", str(game.catalog)]
    done = subprocess.run([*command, *options, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_every_logged_decision_is_replayed_to_the_bit(game: ExploringGame, evening: Evening) -> None:
    found = replayed(game)
    assert (found["replayed"], found["different"]) == (2 * evening.decisions, 0)  # half of them name the other version
    assert found["explored"] == evening.explored
    assert found["skipped"] == {}


def test_estimates_of_the_other_version_agree_with_the_truth(game: ExploringGame, evening: Evening) -> None:
    found = replayed(game, "--version", OTHER)
    assert (found["decisions"], found["overlap"]) == (evening.decisions, 1.0)
    assert found["changed"] > 0.3
    for reward, truth in (("conversion", evening.true_conversion), ("revenue USD", evening.true_revenue)):
        for kind in ("ips", "snips", "doubly_robust"):
            estimate = found["estimates"][reward][kind]
            margin = estimate["high"] - estimate["value"]
            assert abs(estimate["value"] - truth) < MARGINS * margin, (reward, kind, estimate, truth)
            assert margin < truth  # it says something
