"""Running meshes for the tests: a catalog with trained models and a filled store, started by `mesh up`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.forests import KINDS, Matrix, TrainedForest, train

PLAYERS = 1_000
NUMBERS = (*(f"Column_{column}" for column in range(6)), "f0", "f2", "f3", "f5", "tier")
TEXTS = ("platform",)
OFFERS = """offer_id,price,Column_3,tier
starter-pack,0.99,0.5,10
gem-chest,4.99,-1.25,30
dragon-egg,19.99,,50
guild-banner,9.99,2,20
"""
START_S = 60
STOP_S = 20
COMBINERS = ("weighted_mean", "median", "trimmed_mean", "rank_mean", "vote")
FEW = ("binary", "rf", "dart", "missing_nan", "pandas")


@dataclass(frozen=True, slots=True)
class Player:
    """One player's features: numbers in the order of `NUMBERS`, and the platform."""

    id: str
    numbers: Matrix
    platform: str | None

    def value(self, feature: str) -> float | str | None:
        """The stored value of one feature."""
        return self.platform if feature in TEXTS else float(self.numbers[NUMBERS.index(feature)])


@dataclass(frozen=True, slots=True)
class World:
    """What a mesh serves: the catalog file, the models it names, and its players."""

    catalog: Path
    forests: dict[str, TrainedForest]
    players: list[Player]


def build_world(folder: Path) -> World:
    """A game with a version of every kind of model, and one version for each way to combine."""
    folder.mkdir(parents=True, exist_ok=True)
    forests = {kind: train(kind, folder) for kind in KINDS}
    (folder / "offers.csv").write_text(OFFERS)
    players = make_players(np.random.default_rng(11))
    write_players(folder / "players.csv", players)
    catalog = folder / "mesh.yaml"
    catalog.write_text(yaml.safe_dump(_catalog(), sort_keys=False))
    subprocess.run([*MESH, "features", "load", str(folder / "players.csv"), "--catalog", str(catalog)], check=True)
    return World(catalog, forests, players)


MESH = (sys.executable, "-m", "mesh.cli.main")


def _catalog() -> dict[str, Any]:
    combiners = {kind: _version({"kind": kind, "quorum": 3}, FEW, 0) for kind in COMBINERS}
    return {
        "game": "testgame",
        "budget_ms": 2000,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 500},
        "context": {"Column_0": "number", "platform": "text", "session_minutes": "number"},
        "offers": {"path": "offers.csv", "fallback": "starter-pack", "rank_by": "expected_revenue"},
        "versions": {
            "every-kind": _version({"kind": "mean", "quorum": 10}, KINDS, 100),
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
    """Players with missing values, categories that the models know and some that they do not."""
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
    """The players as the CSV file that `mesh features load` reads; a missing value is an empty cell."""
    lines = [",".join(("player_id", *NUMBERS, *TEXTS))]
    for player in players:
        cells = ["" if np.isnan(number) else repr(float(number)) for number in player.numbers]
        lines.append(",".join((player.id, *cells, player.platform or "")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mesh:
    """A running mesh: what its ready line said, and its process."""

    ready: dict[str, Any]
    process: subprocess.Popen[str]
    log: Path

    @property
    def address(self) -> str:
        """Where Offers is served."""
        return str(self.ready["address"])

    def pid(self, model: str) -> int:
        """The process of one model's (first) worker, as of the start."""
        return next(int(worker["pid"]) for worker in self.ready["workers"] if worker["model"] == model)

    async def said(self, words: str, patience_s: float) -> float:
        """When `mesh up` was seen to have said `words` on stderr."""
        async with asyncio.timeout(patience_s):
            while words not in self.log.read_text():  # noqa: ASYNC110 (a file has no event to wait for)
                await asyncio.sleep(0.02)
        return time.monotonic()

    def stop(self) -> int:
        """Drains the mesh; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def running(catalog: Path, *options: str) -> Iterator[Mesh]:
    """A mesh on ports of the system's choice for as long as the block lasts; its stderr is kept beside the catalog."""
    command = [*MESH, "up", str(catalog), "--port", "0", "--metrics-port", "0", "--json", *options]
    log = catalog.with_suffix(".log")
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"mesh up ended with {process.wait(STOP_S)} before it was ready:\n{log.read_text()}"
        yield Mesh(json.loads(line), process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
