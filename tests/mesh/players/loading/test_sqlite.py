"""Loading players into a SQLite store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mesh.players.features import Columns
from mesh.players.sqlite import open_store, read_players
from tests.mesh.players.loading.player_loader import ONE_PLAYER, Loader

FIVE_MINUTES_S = 300.0


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def test_csv_file_is_loaded_as_numbers_and_texts(loader: Loader) -> None:
    content = "player_id,age,country,vip,spend\n007,31,de,true,0.1\nanna,,,,\n"

    assert loader.load_csv(content) == 0

    assert loader.columns() == Columns(("age", "vip", "spend"), ("country",))
    assert set(loader.players()) == {"007", "anna"}
    assert loader.numbers("007") == "31.0 1.0 0.1"
    assert loader.numbers("anna") == "nan nan nan"
    assert [loader.players()[player].texts for player in ("007", "anna")] == [("de",), (None,)]


def test_schema_of_a_parquet_file_decides_the_kinds(loader: Loader) -> None:
    columns = {
        "player_id": pa.array([1, 2]),
        "age": pa.array([31, None], pa.int32()),
        "code": pa.array(["17", ""]),
        "country": pa.array(["de", None]).dictionary_encode(),
        "vip": pa.array([True, None]),
        "nothing": pa.nulls(2),
    }

    assert loader.load_parquet(columns) == 0

    assert loader.columns() == Columns(("age", "vip", "nothing"), ("code", "country"))
    assert loader.numbers("1") == "31.0 1.0 nan"
    assert loader.numbers("2") == "nan nan nan"
    assert [loader.players()[player].texts for player in ("1", "2")] == [("17", "de"), ("", None)]


def test_quoted_empty_cell_of_a_csv_file_is_the_empty_text(loader: Loader) -> None:
    content = 'player_id,country,age,vip,updated_at\na,"","","",""\nb,,,,\nc,de,3,true,5\n'

    assert loader.load_csv(content) == 0

    assert loader.columns() == Columns(("age", "vip"), ("country",))
    assert [loader.players()[player].texts for player in "abc"] == [("",), (None,), ("de",)]
    assert [loader.numbers(player) for player in "abc"] == ["nan nan", "nan nan", "3.0 1.0"]


def test_csv_and_parquet_of_the_same_players_give_the_same_store(loader: Loader) -> None:
    assert loader.load_csv("player_id,a,t,updated_at\np,0.1,x,5\nq,-3e-7,,6\n") == 0
    from_csv = loader.columns(), loader.players()

    table = {"player_id": ["p", "q"], "a": [0.1, -3e-7], "t": ["x", None], "updated_at": [5, 6]}
    assert loader.load_parquet(table) == 0

    assert (loader.columns(), loader.players()) == from_csv


def test_players_without_any_numbers_can_be_loaded(loader: Loader) -> None:
    assert loader.load_csv("player_id,country\np,de\n") == 0
    assert loader.numbers("p") == ""


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("1767225600", 1_767_225_600.0),
        ("1767225600.25", 1_767_225_600.25),
        ("1767225600250", 1_767_225_600.25),
        ("1767225600250000", 1_767_225_600.25),
        ("1767225600000000000", 1_767_225_600.0),
        ("20260101", 1_767_225_600.0),
        ("2026-01-01", 1_767_225_600.0),
        ("2026-01-01T00:00:00Z", 1_767_225_600.0),
        ("2026-01-01 02:00:00+02:00", 1_767_225_600.0),
    ],
)
def test_updated_at_is_the_time_of_writing(loader: Loader, text: str, expected_s: float) -> None:
    assert loader.load_csv(f"player_id,age,updated_at\np,1,{text}\n") == 0
    assert loader.players()["p"].written_at_s == expected_s


def test_parquet_timestamp_is_the_time_of_writing(loader: Loader) -> None:
    times = pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC"))

    assert loader.load_parquet({"player_id": ["p"], "age": [1], "updated_at": times}) == 0
    assert loader.players()["p"].written_at_s == 1_767_225_600.0


def test_parquet_timestamp_in_a_wrong_unit_is_refused(loader: Loader) -> None:
    times = pa.array([1_767_225_600_000_000], pa.timestamp("s"))

    assert loader.load_parquet({"player_id": ["p"], "age": [1], "updated_at": times}) != 0


def test_default_time_of_writing_is_now(loader: Loader) -> None:
    assert loader.load_csv("player_id,age,updated_at\np,1,\n") == 0
    assert abs(loader.players()["p"].written_at_s - datetime.now(UTC).timestamp()) < FIVE_MINUTES_S


def test_large_file_is_loaded_in_many_batches(loader: Loader) -> None:
    rows = [f'player-{row},{row / 7!r},"{"word " * 10}\n{"word " * 10}"' for row in range(20_000)]

    assert loader.load_csv("\n".join(["player_id,x,t", *rows, ""])) == 0

    assert len(loader.players()) == 20_000
    assert loader.numbers("player-19999") == repr(19_999 / 7)


def test_quoted_cells_may_hold_commas_and_line_breaks(loader: Loader) -> None:
    assert loader.load_csv('\ufeffplayer_id,t\n"a,b","one\ntwo"\n') == 0
    assert loader.players()["a,b"].texts == ("one\ntwo",)


def test_text_option_keeps_the_digits_of_a_column(loader: Loader) -> None:
    assert loader.load_csv("player_id,zip\np,00501\n", "--text", "zip") == 0
    assert loader.players()["p"].texts == ("00501",)


def test_open_readers_keep_the_old_store(loader: Loader) -> None:
    loader.load_csv(ONE_PLAYER)
    with closing(open_store(loader.store)) as reader:
        assert loader.load_csv("player_id,age\nnew,1\n") == 0
        assert list(read_players(reader, '["old", "new"]')) == ["old"]
    with closing(sqlite3.connect(loader.store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
