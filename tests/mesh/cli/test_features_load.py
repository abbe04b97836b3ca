"""The command `mesh features load`. The tests of the loaded players are in tests/mesh/players/loading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.forests import train
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
