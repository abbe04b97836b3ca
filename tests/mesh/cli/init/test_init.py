from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from mesh.catalog import catalog as catalogs
from mesh.cli.main import main
from tests.started_mesh import started_mesh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models on players (level, country), offers (price) and the request (weekend, device), players and offers."""
    rng = np.random.default_rng(5)
    rows = 300
    frame = pd.DataFrame(
        {
            "level": rng.integers(1, 60, rows).astype(float),
            "country": pd.Categorical(rng.choice(["1", "2", "de"], rows)),
            "price": rng.choice([0.99, 4.99], rows),
            "weekend": pd.Categorical(rng.random(rows) > 0.5),
            "device": pd.Categorical(rng.choice(["phone", "tablet"], rows)),
        }
    )
    (tmp_path / "models").mkdir()
    for name, label in (("Whales_1", frame.level > 30), ("y", frame.price > 1)):
        data = lightgbm.Dataset(frame, label.astype(int))
        parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 4}
        lightgbm.train(parameters, data, 5).save_model(tmp_path / "models" / f"{name}.txt")
    (tmp_path / "players.csv").write_text("player_id,level,country\nanna,40,1\nbert,3,2\n")
    (tmp_path / "offers.csv").write_text("offer_id,price\n1e5,0.99\ngold,4.99\n")
    return tmp_path


def init(folder: Path, *more: str) -> int:
    paths = [str(folder / "models"), str(folder / "players.csv")]
    return main(["init", *paths, "--game", "arena", "--to", str(folder / "mesh.yaml"), *more])


def test_catalog_passes_the_check_and_is_served(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(folder, "--offers", str(folder / "offers.csv")) == 0
    assert main(["catalog", "check", str(folder / "mesh.yaml")]) == 0
    with started_mesh(folder / "mesh.yaml", "--json") as mesh:
        assert mesh.ready
        capsys.readouterr()
        words = ["offer", "--game", "arena", "--player", "anna", "--address", mesh.address, "--json"]
        assert main([*words, "--context", "weekend=true", "--context", "device=phone", "--deadline-ms", "5000"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "ENSEMBLE"


def test_catalog_has_the_sources_of_all_features(folder: Path) -> None:
    assert init(folder, "--offers", str(folder / "offers.csv")) == 0
    catalog = catalogs.load(folder / "mesh.yaml")
    assert dict(catalog.context) == {"weekend": "boolean", "device": "text"}
    assert catalog.offers is not None
    assert (catalog.offers.fallback, catalog.offers.rank_by) == ("1e5", "expected_revenue")
    assert [model.name for model in catalog.versions["1"].models] == ["whales-1", "y"]


def test_offers_without_prices_are_ranked_by_score_and_the_catalog_names_the_reason(folder: Path) -> None:
    (folder / "offers.csv").write_text("offer_id,cost\n1e5,0.99\ngold,4.99\n")
    assert init(folder, "--offers", str(folder / "offers.csv")) == 0
    offers = catalogs.load(folder / "mesh.yaml").offers
    assert offers is not None
    assert offers.rank_by == "score"
    assert "# The offers have no column price" in (folder / "mesh.yaml").read_text()


def test_game_without_offers_answers_score(folder: Path) -> None:
    assert init(folder) == 0
    assert main(["catalog", "check", str(folder / "mesh.yaml")]) == 0
    catalog = catalogs.load(folder / "mesh.yaml")
    assert (catalog.offers, catalog.context["price"]) == (None, "number")


def test_existing_catalog_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mesh.yaml").write_text("mine")
    assert init(folder) == 2
    assert (folder / "mesh.yaml").read_text() == "mine"
    expected = f"{folder / 'mesh.yaml'}: exists; move it, or give another file with --to\n"
    assert capsys.readouterr().err == expected
