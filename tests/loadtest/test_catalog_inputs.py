from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
import yaml
from lightgbm import Dataset, train

from loadtest.catalog_inputs import read_catalog
from loadtest.errors import CannotMeasure
from loadtest.game_inputs import Chosen
from mesh.catalog import catalog as catalogs
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from mesh.reference.context_values import context_values

SETTINGS = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1}


def write_game(folder: Path, **changes: object) -> Path:
    """A game with one model, trained on a number from 5 to 20 and the texts ios and web."""
    rows = pandas.DataFrame(
        {"minutes": np.linspace(5.0, 20.0, 40), "platform": pandas.Categorical(["ios", "web"] * 20)}
    )
    model = train(SETTINGS, Dataset(rows, np.arange(40) % 3 == 0), 2)
    (folder / "model.txt").write_text(model.model_to_string())
    with replacing_store(folder / "players.sqlite", Columns(("age",), ())) as store:
        write_players(store, [(name, PlayerFeatures(b"\0" * 8, (), 1.0)) for name in ("zoe", "böb", "anna")])
    catalog = {
        "game": "chess",
        "features": {"store": "sqlite", "path": "players.sqlite"},
        "context": {"minutes": "number", "platform": "text", "is_weekend": "boolean", "mood": "text", "mana": "number"},
        "versions": {
            "v1": {
                "traffic": 100,
                "combine": {"kind": "mean", "quorum": 1},
                "models": [{"name": "only", "uri": "model.txt"}],
            }
        },
    }
    path = folder / "mesh.yaml"
    path.write_text(yaml.safe_dump(catalog | changes))
    return path


def test_context_values_are_those_that_the_models_know(tmp_path: Path) -> None:
    values = context_values(catalogs.load(write_game(tmp_path)))
    assert values["platform"] == ["ios", "web"]
    assert values["is_weekend"] == [False, True]
    assert (values["minutes"][0], values["minutes"][-1]) == (5.0, 20.0)
    assert (values["mana"][0], values["mana"][-1]) == (0.0, 1.0)
    assert "mood" not in values  # no model knows any value of it


def test_players_of_the_store_are_read_in_the_order_of_their_ids(tmp_path: Path) -> None:
    known = read_catalog(Chosen(catalog=write_game(tmp_path), players=2))
    assert (known.game, known.players, known.offers) == ("chess", ["anna", "böb"], None)


def test_store_that_cannot_be_listed_names_the_option(tmp_path: Path) -> None:
    table = {"store": "dynamodb", "table": "players", "region": "eu-west-1"}
    path = write_game(tmp_path, features=table)
    with pytest.raises(CannotMeasure, match="set --player-ids FILE"):
        read_catalog(Chosen(catalog=path))
    assert read_catalog(Chosen(catalog=path, player_ids=tmp_path / "ids")).players is None
