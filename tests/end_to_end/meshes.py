"""Meshes for the tests: a catalog with trained models and a loaded store, served by `mesh up`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.forests import KINDS, Matrix, TrainedForest, train
from tests.started_mesh import MESH, StartedMesh, started_mesh

PLAYERS = 1_000
NUMBERS = (*(f"Column_{column}" for column in range(6)), "f0", "f2", "f3", "f5", "tier")
TEXTS = ("platform",)
OFFERS = """offer_id,price,Column_3,tier
starter-pack,0.99,0.5,10
gem-chest,4.99,-1.25,30
dragon-egg,19.99,,50
guild-banner,9.99,2,20
"""
COMBINERS = ("weighted_mean", "median", "trimmed_mean", "rank_mean", "vote")
FEW = ("binary", "rf", "dart", "missing_nan", "pandas")


@dataclass(frozen=True, slots=True)
class Player:
    """The features of one player: numbers in the order of `NUMBERS`, and the platform."""

    id: str
    numbers: Matrix
    platform: str | None

    def value(self, feature: str) -> float | str | None:
        """Returns the stored value of a feature."""
        return self.platform if feature in TEXTS else float(self.numbers[NUMBERS.index(feature)])


@dataclass(frozen=True, slots=True)
class World:
    """The input of a mesh: the catalog file, its models and its players."""

    catalog: Path
    forests: dict[str, TrainedForest]
    players: list[Player]


def with_median_only(world: World, name: str) -> Path:
    """Writes the catalog `name` beside that of `world`: its version `median`, of five models, serves all players."""
    catalog = yaml.safe_load(world.catalog.read_text())
    catalog["versions"] = {"median": {**catalog["versions"]["median"], "traffic": 100}}
    path = world.catalog.with_name(name)
    path.write_text(yaml.safe_dump(catalog))
    return path


def build_world(folder: Path) -> World:
    """Builds a game with a version of all kinds of models, and a version for each way to combine votes."""
    folder.mkdir(parents=True, exist_ok=True)
    forests = {kind: train(kind, folder) for kind in KINDS}
    (folder / "offers.csv").write_text(OFFERS)
    players = make_players(np.random.default_rng(11))
    write_players(folder / "players.csv", players)
    catalog = folder / "mesh.yaml"
    catalog.write_text(yaml.safe_dump(_catalog(), sort_keys=False))
    subprocess.run([*MESH, "features", "load", str(folder / "players.csv"), "--catalog", str(catalog)], check=True)
    return World(catalog, forests, players)


def _catalog() -> dict[str, Any]:
    combiners = {kind: _version({"kind": kind, "quorum": 3}, FEW, 15) for kind in COMBINERS}
    return {
        "game": "testgame",
        "budget_ms": 2000,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 500},
        "context": {"Column_0": "number", "platform": "text", "session_minutes": "number"},
        "offers": {"path": "offers.csv", "fallback": "starter-pack", "rank_by": "expected_revenue"},
        "versions": {
            "every-kind": _version({"kind": "mean", "quorum": 10}, KINDS, 25),
            **{kind.replace("_", "-"): version for kind, version in combiners.items()},
        },
    }


def _version(combine: dict[str, Any], kinds: Sequence[str], traffic: int) -> dict[str, Any]:
    models: list[dict[str, Any]] = []
    for position, kind in enumerate(kinds):
        model: dict[str, Any] = {"name": kind.replace("_", "-"), "uri": f"{kind}.txt", "weight": 1.0 + position / 7}
        if kind.startswith("multiclass"):
            model["class"] = 2
        models.append(model)
    return {"traffic": traffic, "combine": combine, "models": models}


def make_players(rng: np.random.Generator) -> list[Player]:
    """Draws players with missing values and with known and unknown categories."""
    numbers = rng.normal(size=(PLAYERS, len(NUMBERS)))
    for column in ("Column_1", "Column_4"):
        numbers[:, NUMBERS.index(column)] = rng.integers(0, 50, PLAYERS)
    numbers[:, NUMBERS.index("tier")] = rng.choice([10, 20, 30, 40, 50, 60], PLAYERS)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    numbers[rng.random(numbers.shape) < 0.05] = 0.0
    platforms = rng.choice(["android", "ios", "steam deck", "wéb", "abacus", ""], PLAYERS)
    return [
        Player(f"player-{position}", numbers[position], str(platform) or None)
        for position, platform in enumerate(platforms)
    ]


def write_players(path: Path, players: Sequence[Player]) -> None:
    """Writes the CSV file for `mesh features load`; a missing value is an empty cell."""
    lines = [",".join(("player_id", *NUMBERS, *TEXTS))]
    for player in players:
        cells = ["" if np.isnan(number) else repr(float(number)) for number in player.numbers]
        lines.append(",".join((player.id, *cells, player.platform or "")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def running(catalog: Path, *options: str) -> Iterator[StartedMesh]:
    """Runs a mesh during the block, from the moment when it is ready."""
    with started_mesh(catalog, "--json", *options) as mesh:
        assert mesh.ready
        yield mesh
