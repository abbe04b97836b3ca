"""The command `mesh features load`. The tests of the loaded players are in tests/mesh/players/loading."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mesh.model_file import read_header
from tests.forests import fit, train
from tests.mesh.players.loading.player_loader import Loader


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def test_json_option_prints_the_result_as_one_line(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load_csv("player_id,age,country\np,1,de\n", "--json") == 0

    result = json.loads(capsys.readouterr().out)
    assert result.pop("seconds") >= 0
    assert result == {
        "event": "loaded", "store": str(loader.store), "players": 1, "skipped": 0,
        "numbers": 1, "texts": 1
    }  # fmt: skip


def test_load_without_a_column_that_a_model_needs_does_not_change_the_store(
    loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    train("binary", loader.folder).path.rename(loader.folder / "m.txt")
    whole = "player_id," + ",".join(f"Column_{column}" for column in range(6)) + "\nold,1,2,3,4,5,6\n"
    assert loader.load_csv(whole) == 0

    assert loader.load_csv("player_id,Column_0\nnew,1\n") == 2

    assert set(loader.players()) == {"old"}
    assert "'Column_5' has no source" in capsys.readouterr().err
    assert loader.load_csv("player_id,Column_0\nnew,1\n", "--force") == 0
    assert set(loader.players()) == {"new"}


COUNTRIES = ["", "de", "us"]


def write_models(folder: Path, *names: str) -> None:
    """Saves models with the columns `age` (number), `country` (text, or empty) and `tier` (1, 2), and their catalog."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"age": rng.random(300), "country": rng.choice(COUNTRIES, 300), "tier": rng.choice([1, 2], 300)}
    )
    data = frame.astype({"country": "category", "tier": "category"})
    for name in names:
        fit(data, rng.random(300), {"objective": "regression", "min_data_per_group": 5}).save_model(
            folder / f"{name}.txt"
        )
    models = "".join(f"      - {{name: {name}, uri: {name}.txt}}\n" for name in names)
    catalog = f'game: g\nfeatures: {{path: data/players.sqlite}}\nversions:\n  "1":\n    models:\n{models}'
    (folder / "mesh.yaml").write_text(catalog)


def test_share_of_values_that_no_model_knows_is_a_warning(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(loader.folder, "a", "b")
    rows = {
        "player_id": list("pqrs"),
        "age": [1, 2, 3, 4],
        "country": ["DE", "US", "DE", "de"],
        "tier": [1, 2, 9, None],
    }

    assert loader.load_parquet(rows) == 0

    assert capsys.readouterr().err.splitlines() == [
        "warning: 'country': 75 % of the values (3 of 4) are unknown to every model of 1 and count as missing, "
        "such as 'DE', 'US'; give the values as they were in training",
        "warning: 'tier': 33.3 % of the values (1 of 3) are unknown to every model of 1 and count as missing, "
        "such as 9.0; give the values as they were in training",
    ]
    assert loader.load_csv('player_id,age,country,tier\np,1,DE,1\nq,2,"",2\n', "--json") == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert warning.startswith("'country': 50 % of the values (1 of 2)")


def test_known_values_are_not_a_warning(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(loader.folder, "a")
    assert loader.load_csv('player_id,age,country,tier\np,1,de,1\nq,2,"",2.0\nr,,us,\n') == 0
    assert capsys.readouterr().err == ""


def test_empty_cell_that_may_be_the_empty_text_is_refused(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(loader.folder, "a")
    content = "player_id,age,country,tier\np,1,de,1\nq,2,,2\n"

    assert loader.load_csv(content) == 2

    error = capsys.readouterr().err
    assert "players.csv:3: column 'country' is empty, and the models have the empty text as a category" in error
    assert "use --empty-text country" in error
    assert loader.load_csv(content, "--empty-text", "country") == 0
    assert [loader.players()[player].texts for player in "pq"] == [("de",), ("",)]
    assert loader.load_csv(content, "--empty-text", "tier") == 2
    assert "has no text column 'tier'; correct --empty-text" in capsys.readouterr().err


def test_feature_without_a_source_is_one_line_for_all_models(
    loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    write_models(loader.folder, "a", "b", "c")

    assert loader.load_csv("player_id,age\np,1\n") == 2

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "versions.1.models[0].uri: feature 'country' has no source (and 2 other models); add it to" in lines[0]
    assert "feature 'tier' has no source (and 2 other models)" in lines[1]


def test_column_of_large_whole_numbers_is_refused_unless_it_is_text(
    loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    write_models(loader.folder, "a")
    rng, guilds = np.random.default_rng(1), [2**53, 2**53 + 1, 12]
    frame = pd.DataFrame({"age": rng.random(300), "guild": pd.Categorical(rng.choice(guilds, 300))})
    fit(frame, rng.random(300), {"objective": "regression"}).save_model(loader.folder / "a.txt")
    assert read_header(loader.folder / "a.txt").categories == {"guild": (12, 2**53, 2**53 + 1)}
    rows = {"player_id": ["p", "q"], "age": [1.0, 2.0], "guild": [2**53 + 1, 2**53]}

    assert loader.load_parquet(rows) == 2

    assert "feature 'guild' is a number, which is exact only below 2^53" in capsys.readouterr().err
    assert loader.load_parquet(rows, "--text", "guild") == 0
    assert capsys.readouterr().err == ""
    assert [loader.players()[player].texts for player in "pq"] == [(str(2**53 + 1),), (str(2**53),)]
