from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from loadtest.peers.monolith_app import create_app
from loadtest.workload_files import Matrix, offers_of, players_of, prepare
from loadtest.workloads import Forests, TrainedEnsemble, player_feature_names
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players

TINY = TrainedEnsemble("tiny", "two tiny models", Forests("forests", 2, 3, 4, 5), models=2, players=6)
RANKING = replace(TINY, game="ranking", offers=3, offer_features=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    prepare(TINY, folder, lambda _: None)
    return folder


def test_every_tree_has_all_its_leaves(folder: Path) -> None:
    for path in (folder / "forests").glob("*.txt"):
        assert re.findall(r"^num_leaves=(\d+)", path.read_text(), re.MULTILINE) == ["4", "4", "4"]


def test_models_of_an_earlier_run_are_kept(folder: Path) -> None:
    trained: list[str] = []
    prepare(TINY, folder, trained.append)
    assert trained == []


def test_models_of_another_size_are_trained_again(tmp_path: Path) -> None:
    prepare(TINY, tmp_path, lambda _: None)
    trained: list[str] = []
    prepare(replace(TINY, forests=replace(TINY.forests, trees=2)), tmp_path, trained.append)
    assert len(trained) == 2


def test_monolith_reads_the_store_of_the_mesh_and_returns_the_mean_of_its_models(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = monolith(TINY, folder, monkeypatch)
    for player, row in players_of(TINY).items():
        expected = np.mean(predictions(folder, row.reshape(1, -1)), axis=0)[0]
        assert client.post("/score", json={"player_id": player}).get_json() == {"score": expected}


def test_monolith_returns_the_best_offer_for_the_player(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = monolith(RANKING, folder, monkeypatch)
    offers = offers_of(RANKING)
    for player, row in players_of(RANKING).items():
        rows = np.array([[*row, *offer] for offer in offers.values()])
        scores = np.mean(predictions(folder, rows), axis=0)
        best = {"offer_id": list(offers)[int(np.argmax(scores))], "score": scores.max()}
        assert client.post("/offer", json={"player_id": player}).get_json() == best


def predictions(folder: Path, rows: Matrix) -> list[Matrix]:
    models = [lightgbm.Booster(model_file=path) for path in sorted((folder / "forests").glob("*.txt"))]
    return [np.asarray(model.predict(rows)) for model in models]


def monolith(ensemble: TrainedEnsemble, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    prepare(ensemble, root, lambda _: None)
    folder = root / ensemble.game
    with replacing_store(folder / "players.sqlite", Columns(tuple(player_feature_names(ensemble)), ())) as store:
        rows = {player: PlayerFeatures(row.tobytes(), (), 0.0) for player, row in players_of(ensemble).items()}
        write_players(store, rows.items())
    monkeypatch.setenv("MONOLITH_FOLDER", str(folder))
    return create_app().test_client()
