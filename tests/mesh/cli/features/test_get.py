"""The command `mesh features get`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulators.aws import use_credentials
from emulators.faults import Fault
from emulators.processes import Server
from loadtest.micro.features.table import serving_table
from mesh.cli.features import get as features_get
from mesh.cli.main import main
from mesh.players.dynamodb.schema import SCHEMA_KEY
from mesh.players.features import Columns, PlayerFeatures
from tests.mesh.players.loading.player_loader import Loader
from tests.mesh.players.loading.table_loader import TableLoader


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.fixture
def table(tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]) -> TableLoader:
    use_credentials()
    return TableLoader(tmp_path, moto_server.endpoint, capsys)


def test_player_is_printed_with_its_features(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load_csv("player_id,age,mood,updated_at\np,0.1,[red]x,2026-10-01\nq,,,\n") == 0
    capsys.readouterr()
    assert loader.get("p") == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("player p, written ")
    assert [line.split() for line in lines] == [["feature", "value"], ["age", "0.1"], ["mood", "[red]x"]]
    assert loader.get("q", "--json") == 0
    assert json.loads(capsys.readouterr().out)["features"] == {"age": None, "mood": None}
    assert loader.get("nobody") == 1
    assert "the store does not know player 'nobody'" in capsys.readouterr().err


def test_player_whose_read_is_unprocessed_is_not_reported_as_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials()
    columns = Columns(("level",), ())
    with serving_table(tmp_path, "packed", columns, [("p", PlayerFeatures(bytes(8), (), 5.0))]) as server:
        table = TableLoader(tmp_path, server.endpoint, capsys, table="players")
        assert table.get("p") == {"level": 0.0}
        server.set(Fault("unprocessed"))
        monkeypatch.setattr(features_get, "PATIENCE_S", 1.0)
        assert main(["features", "get", "p", "--catalog", str(table.catalog)]) == 2
    assert "did not" in table.errors()


@pytest.mark.parametrize("player", ["nobody", "x" * 2049, SCHEMA_KEY])
def test_unknown_player_of_a_table_is_reported(player: str, table: TableLoader) -> None:
    assert table.load("player_id,age\nanna,7\n", "--create") == 0
    assert main(["features", "get", player, "--catalog", str(table.catalog)]) == 1
    assert "the store does not know player" in table.errors()
