"""The files of a trained ensemble: models, players and the catalog, made once and kept in a cache folder."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from loadtest.faults import CannotMeasure
from loadtest.workloads import TrainedEnsemble, Workload, catalog_of, feature_names, model_names, player_ids

RECIPE = 1  # to be raised when the training changes, so that models of before are not used any more
ROWS_PER_LEAF = 64
LEAVES_OF_A_TREE = re.compile(r"^num_leaves=(\d+)$", re.MULTILINE)

Matrix = npt.NDArray[np.float64]
Progress = Callable[[str], None]


def prepare(ensemble: TrainedEnsemble, folder: Path, progress: Progress) -> None:
    """Fills `folder` with models/*.txt, players.csv and mesh.yaml; what an earlier run made is kept.

    Tells `progress` of every model that it trains.
    """
    _drop_what_is_stale(ensemble, folder)
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    missing = [name for name in model_names(ensemble) if not (models / f"{name}.txt").exists()]
    for count, name in enumerate(missing, 1):
        progress(f"training model {name} ({count} of {len(missing)})")
        _write(models / f"{name}.txt", _train(ensemble, model_names(ensemble).index(name)))
    write_catalog(ensemble, folder)
    write_players(ensemble, folder / "players.csv")


def write_catalog(workload: Workload, folder: Path) -> None:
    """Writes `folder`/mesh.yaml."""
    _write(folder / "mesh.yaml", yaml.safe_dump(catalog_of(workload), sort_keys=False))


def write_players(workload: Workload, path: Path) -> None:
    """Writes a CSV file with one row a player: player_id and every feature."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["player_id", *feature_names(workload)])
        for player, features in players_of(workload).items():
            rows.writerow([player, *features.tolist()])


def players_of(workload: Workload) -> dict[str, Matrix]:
    """Every player's features [features], the same for the same workload."""
    matrix = np.random.default_rng(workload.players).normal(size=(workload.players, workload.features))
    return dict(zip(player_ids(workload.players), matrix, strict=True))


def _drop_what_is_stale(ensemble: TrainedEnsemble, folder: Path) -> None:
    recipe = json.dumps({"recipe": RECIPE, **asdict(ensemble)})
    stamp = folder / "recipe.json"
    if not stamp.exists() or stamp.read_text() != recipe:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(stamp, recipe)


def _train(ensemble: TrainedEnsemble, seed: int) -> str:
    import lightgbm

    features, labels = _history(ensemble, seed)
    data = lightgbm.Dataset(features, labels, feature_name=feature_names(ensemble))
    text = str(lightgbm.train(_settings(ensemble, seed), data, ensemble.trees).model_to_string())
    leaves = [int(count) for count in LEAVES_OF_A_TREE.findall(text)]
    if leaves != [ensemble.leaves] * ensemble.trees:
        raise CannotMeasure(f"a model has {len(leaves)} trees of {min(leaves, default=0)} leaves or more")
    return text


def _settings(ensemble: TrainedEnsemble, seed: int) -> dict[str, object]:
    # A slow rate and no floor under a leaf's hessian: the last tree still finds as many leaves as the first.
    return {
        "objective": "binary",
        "num_leaves": ensemble.leaves,
        "learning_rate": 0.02,
        "feature_fraction": 0.5,
        "min_data_in_leaf": 5,
        "min_sum_hessian_in_leaf": 0.0,
        "max_bin": 63,
        "seed": seed,
        "num_threads": 1,  # two that wait for each other on a busy machine take many times as long
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _history(ensemble: TrainedEnsemble, seed: int) -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(ROWS_PER_LEAF * ensemble.leaves, ensemble.features))
    taste = np.random.default_rng(0).normal(size=ensemble.features) + rng.normal(size=ensemble.features)
    likely = 1.0 / (1.0 + np.exp(-features @ taste / np.sqrt(ensemble.features)))
    return features, (rng.random(len(features)) < likely).astype(np.float64)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: an interrupted run leaves no half file in the cache."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
