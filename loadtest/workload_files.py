"""Writes the files of a workload: trained models, which later runs use again, players, offers and the catalog."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from loadtest.errors import CannotMeasure
from loadtest.workloads import (
    Forests,
    TrainedEnsemble,
    Workload,
    catalog_of,
    feature_names,
    offer_feature_names,
    offer_ids,
    player_feature_names,
    player_ids,
)

RECIPE = 1  # increase it when the training changes, so that older models are not used again
ROWS_PER_LEAF = 64
LEAVES_OF_A_TREE = re.compile(r"^num_leaves=(\d+)$", re.MULTILINE)

Matrix = npt.NDArray[np.float64]
Progress = Callable[[str], None]


def prepare(ensemble: TrainedEnsemble, root: Path, progress: Progress) -> None:
    """Fills the folders of the forests and of the game in `root`; keeps the models of earlier runs.

    `progress` receives a line for every model that is trained.
    """
    train(ensemble.forests, root / ensemble.forests.name, progress)
    folder = root / ensemble.game
    folder.mkdir(exist_ok=True)
    write_inputs(ensemble, folder)


def train(forests: Forests, folder: Path, progress: Progress) -> None:
    """Fills `folder` with 00.txt, 01.txt, ...; keeps existing models of the same size."""
    _remove_outdated(forests, folder)
    missing = [number for number in range(forests.count) if not (folder / f"{number:02d}.txt").exists()]
    for count, number in enumerate(missing, 1):
        progress(f"training model {number:02d} ({count} of {len(missing)})")
        _write(folder / f"{number:02d}.txt", _train(forests, number))


def write_inputs(workload: Workload, folder: Path) -> None:
    """Writes mesh.yaml, players.csv and, for ranked offers, offers.csv."""
    _write(folder / "mesh.yaml", yaml.safe_dump(catalog_of(workload), sort_keys=False))
    _write_table(folder / "players.csv", ["player_id", *player_feature_names(workload)], players_of(workload))
    if workload.offers:
        _write_table(folder / "offers.csv", ["offer_id", *offer_feature_names(workload)], offers_of(workload))


def players_of(workload: Workload) -> dict[str, Matrix]:
    """The features of every player [features], the same for the same workload."""
    return _drawn(player_ids(workload.players), len(player_feature_names(workload)))


def offers_of(workload: Workload) -> dict[str, Matrix]:
    """The features of every offer [features], the same for the same workload."""
    return _drawn(offer_ids(workload), workload.offer_features)


def _drawn(ids: Sequence[str], features: int) -> dict[str, Matrix]:
    matrix = np.random.default_rng(len(ids)).normal(size=(len(ids), features))
    return dict(zip(ids, matrix, strict=True))


def _write_table(path: Path, header: Sequence[str], rows: Mapping[str, Matrix]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        for key, features in rows.items():
            table.writerow([key, *features.tolist()])


def _remove_outdated(forests: Forests, folder: Path) -> None:
    recipe = json.dumps({"recipe": RECIPE, **_size(forests)})
    stamp = folder / "recipe.json"
    if not stamp.exists() or stamp.read_text() != recipe:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(stamp, recipe)


def _size(forests: Forests) -> dict[str, object]:
    """The size in the recipe; without empty `codes`, as in recipes from before the option existed."""
    return {name: value for name, value in asdict(forests).items() if value != ()}


def _train(forests: Forests, seed: int) -> str:
    import lightgbm

    features, labels = _history(forests, seed)
    names = feature_names(forests)
    categorical = names[forests.features - len(forests.codes) :]
    data = lightgbm.Dataset(features, labels, feature_name=names, categorical_feature=categorical)
    text = str(lightgbm.train(_settings(forests, seed), data, forests.trees).model_to_string())
    leaves = [int(count) for count in LEAVES_OF_A_TREE.findall(text)]
    if leaves != [forests.leaves] * forests.trees:
        raise CannotMeasure(
            f"a trained model has {len(leaves)} trees with at least {min(leaves, default=0)} leaves, "
            f"not {forests.trees} trees with {forests.leaves}"
        )
    return text


def _settings(forests: Forests, seed: int) -> dict[str, object]:
    # With a low rate and no minimum hessian per leaf, the last tree has as many leaves as the first.
    return {
        "objective": "binary",
        "num_leaves": forests.leaves,
        "learning_rate": 0.02,
        "feature_fraction": 0.5,
        "min_data_in_leaf": 5,
        "min_sum_hessian_in_leaf": 0.0,
        "max_bin": max([63, *(count + 1 for count in forests.codes)]),
        "seed": seed,
        "num_threads": 1,  # two threads that wait for each other on a busy machine take many times as long
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _history(forests: Forests, seed: int) -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(ROWS_PER_LEAF * forests.leaves, forests.features))
    taste = np.random.default_rng(0).normal(size=forests.features) + rng.normal(size=forests.features)
    values = features.copy()
    for place, count in enumerate(reversed(forests.codes), 1):
        codes = rng.integers(0, count, len(features))
        features[:, -place], values[:, -place] = codes, rng.normal(size=count)[codes]
    likely = 1.0 / (1.0 + np.exp(-values @ taste / np.sqrt(forests.features)))
    return features, (rng.random(len(features)) < likely).astype(np.float64)


def _write(path: Path, text: str) -> None:
    """Writes the file whole or not at all: an interrupted run leaves no partial file."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
