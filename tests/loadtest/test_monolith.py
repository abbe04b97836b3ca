from __future__ import annotations

import re
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from loadtest.peers.monolith_app import create_app
from loadtest.training import players_of, prepare
from loadtest.workloads import TrainedEnsemble, feature_names
from mesh.player_features import Columns, PlayerFeatures
from mesh.player_store import replacing_store, write_players

TINY = TrainedEnsemble(game="tiny", models=2, trees=3, leaves=4, features=5, players=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    prepare(TINY, folder, lambda _: None)
    return folder


def test_every_tree_has_all_its_leaves(folder: Path) -> None:
    for path in folder.glob("models/*.txt"):
        assert re.findall(r"^num_leaves=(\d+)", path.read_text(), re.MULTILINE) == ["4", "4", "4"]


def test_models_of_an_earlier_run_are_kept(folder: Path) -> None:
    trained: list[str] = []
    prepare(TINY, folder, trained.append)
    assert trained == []


def test_models_of_another_size_are_not_used(tmp_path: Path) -> None:
    prepare(TINY, tmp_path, lambda _: None)
    trained: list[str] = []
    prepare(TrainedEnsemble(game="tiny", models=2, trees=2, leaves=4, features=5, players=6), tmp_path, trained.append)
    assert len(trained) == 2


def test_the_monolith_reads_the_meshs_store_and_answers_the_mean_of_its_models(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replacing_store(folder / "players.sqlite", Columns(tuple(feature_names(TINY)), ())) as store:
        rows = {player: PlayerFeatures(row.tobytes(), (), 0.0) for player, row in players_of(TINY).items()}
        write_players(store, rows.items())
    monkeypatch.setenv("MONOLITH_MODELS", str(folder / "models"))
    monkeypatch.setenv("MONOLITH_PLAYERS", str(folder / "players.sqlite"))
    client = create_app().test_client()
    models = [lightgbm.Booster(model_file=path) for path in sorted(folder.glob("models/*.txt"))]
    for player, row in players_of(TINY).items():
        expected = np.mean([model.predict(row.reshape(1, -1))[0] for model in models])
        assert client.post("/score", json={"player_id": player}).get_json() == {"score": expected}
