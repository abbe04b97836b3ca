"""A small version of the example: its 15 models with fewer trees, and some of its players, in a ConfigMap."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from examples.dragonfall.offers import OFFERS_CSV, read_offers
from examples.dragonfall.simulation import simulate_players, write_players
from examples.dragonfall.training import Effort, train_all
from k8s.render import EXAMPLE
from tests.cluster.kubectl import Namespace

GAME, VERSION = "dragonfall", "2026-10"
FILES = "dragonfall-files"
PLAYERS = 1_000
EFFORT = Effort(rows=4_000, trees=10)  # a ConfigMap holds at most 1 MiB, for models and players
LOAD_S = 60.0
# A message to a rested replica costs 0.6 ms: at 20 requests a second, whales uses one and a half times its target.
WHALES_PERCENT = 40
NEVER_DOWN = {"scaleDown": {"selectPolicy": "Disabled"}}
DOWN_AT_ONCE = {"scaleDown": {"selectPolicy": "Max", "stabilizationWindowSeconds": 0}}


@dataclass(frozen=True, slots=True)
class SmallGame:
    """A catalog with its files in the same folder."""

    catalog: Path

    def values(self) -> dict[str, Any]:
        """The parsed catalog."""
        read: dict[str, Any] = yaml.safe_load(self.catalog.read_text(encoding="utf-8"))
        return read

    def put_files(self, namespace: Namespace) -> None:
        """Puts the catalog's files into a ConfigMap for the pods of a namespace."""
        files = [f"--from-file={file}" for file in sorted(self.catalog.parent.iterdir()) if file != self.catalog]
        namespace.run("create", "configmap", FILES, *files)

    def changed(self, models: Mapping[str, Mapping[str, Any]], **keys: Any) -> Path:
        """Another catalog with some keys of `models` and of the game changed."""
        values = self.values()
        for model in values["versions"][VERSION]["models"]:
            model.update(models.get(model["name"], {}))
        folder = self.catalog.parent.parent
        path = folder / f"changed-{len(list(folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(values | keys, sort_keys=False), encoding="utf-8")
        return path


def deployment(model: str) -> str:
    """The name of a model's Deployment, Service and HPA."""
    return f"{GAME}-{VERSION}-{model}"


def build(folder: Path) -> SmallGame:
    """Trains the models and fills the store in `folder`/files; takes some seconds."""
    files = folder / "files"
    files.mkdir()
    shutil.copy(OFFERS_CSV, files / "offers.csv")
    for _ in train_all(simulate_players(), read_offers(), files, EFFORT):
        pass
    catalog = files / "mesh.yaml"
    catalog.write_text(yaml.safe_dump(_catalog(), sort_keys=False), encoding="utf-8")
    players = folder / "players.csv"
    write_players(simulate_players(PLAYERS), players)
    load = [sys.executable, "-m", "mesh.cli.main", "features", "load", str(players), "--catalog", str(catalog)]
    subprocess.run(load, check=True, capture_output=True, timeout=LOAD_S)
    return SmallGame(catalog)


def _catalog() -> dict[str, Any]:
    """The example's catalog with all files in one folder, and with sizes for a laptop or a CI machine.

    Every HPA may scale up, but only that of `whales` will: workers request little CPU, and the target of whales is
    below 100 % of the request, the others' ten times the request. No HPA scales down: it would undo at once what a test
    scales up by hand. `lapsed` has two replicas, the others one.
    """
    values: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    values["features"]["path"] = "players.sqlite"
    values["kubernetes"] = {"files": {"configMap": {"name": FILES}}, "network_policies": {"callers": "anyone"}}
    values |= {"replicas": {"min": 1, "max": 3}, "resources": {"cpu": "40m", "memory": "192Mi"}}
    values["hpa"] = {"cpu_percent": 1000, "behavior": NEVER_DOWN}
    values["supervisor"] = {"hpa": {"behavior": NEVER_DOWN}}
    for block in ("assignment", "decisions"):  # every player gets an answer of the models; the files are read-only
        del values[block]
    values["versions"][VERSION].pop("reference", None)
    for model in values["versions"][VERSION]["models"]:
        model["uri"] = f"{model['name']}.txt"
        if model["name"] == "whales":
            model |= {
                "replicas": {"min": 1, "max": 3},
                "resources": {"cpu": "20m"},
                "hpa": {"cpu_percent": WHALES_PERCENT},
            }
        if model["name"] == "lapsed":
            model["replicas"] = {"min": 2}
    return values
