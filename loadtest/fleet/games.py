"""The games of the fleet: catalogs of small models, and the endpoints of their replicas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from loadtest.workload_files import train
from loadtest.workloads import Forests, feature_names
from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store

GAMES, VERSIONS, MODELS = 4, 3, 15
FORESTS = Forests("fleet-forests", count=1, trees=20, leaves=15, features=20)

Seat = tuple[str, str, str]  # game, version, model


def seats() -> Iterator[Seat]:
    """The game, version and model of every replica."""
    for game in range(GAMES):
        for version in range(VERSIONS):
            for model in range(MODELS):
                yield f"game-{game}", f"2026-{10 + version}", f"model-{model:02d}"


def prepare(root: Path) -> list[Path]:
    """Trains the models, makes an empty store, and returns the catalogs."""
    root.mkdir(parents=True, exist_ok=True)
    train(FORESTS, root / FORESTS.name, lambda _: None)
    with replacing_store(root / "players.sqlite", Columns(tuple(feature_names(FORESTS)), ())):
        pass
    return [_write_catalog(root, game) for game in sorted({game for game, _, _ in seats()})]


def model_file(root: Path) -> Path:
    """The model file of every replica."""
    return root / FORESTS.name / "00.txt"


def write_endpoints(file: Path, addresses: Mapping[Seat, str]) -> None:
    """Writes the endpoints file of a supervisor."""
    tree: dict[str, Any] = {}
    for (game, version, model), address in addresses.items():
        tree.setdefault(game, {}).setdefault(version, {})[model] = [address]
    file.write_text(json.dumps(tree), encoding="utf-8")


def _write_catalog(root: Path, game: str) -> Path:
    versions: dict[str, Any] = {}
    for of, version, model in seats():
        if of == game:
            first: dict[str, Any] = {"traffic": 0 if versions else 100, "models": []}
            entry = {"name": model, "uri": str(model_file(root).relative_to(root))}
            versions.setdefault(version, first)["models"].append(entry)
    file = root / f"{game}.yaml"
    catalog = {"game": game, "features": {"store": "sqlite", "path": "players.sqlite"}, "versions": versions}
    file.write_text(yaml.safe_dump(catalog, sort_keys=False), encoding="utf-8")
    return file
