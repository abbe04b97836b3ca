"""The SQLite store: writing, reading and replacing it."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import Misconfigured
from mesh.players.features import Columns, PlayerFeatures, pack_texts, unpack_texts
from mesh.players.sqlite import open_store, read_columns, read_players, replacing_store, write_players

COLUMNS = Columns(("level", "spend"), ("country",))


def player(level: float) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", level, 0.0), ("DE",), 12.5)


def fill(path: Path, players: dict[str, PlayerFeatures], columns: Columns = COLUMNS) -> None:
    with replacing_store(path, columns) as connection:
        write_players(connection, players.items())


def fill_in_part(path: Path) -> None:
    with replacing_store(path, COLUMNS) as connection:
        write_players(connection, [("p1", player(2))])
        raise ValueError("in the middle")


def content(path: Path, *names: str) -> dict[str, PlayerFeatures]:
    with contextlib.closing(open_store(path)) as connection:
        return read_players(connection, json.dumps(names))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "players.sqlite"


def test_written_players_are_read_unchanged(path: Path) -> None:
    players = {"p1": player(1), "wéird \"id\" 'x'": PlayerFeatures(struct.pack("<2d", 2, 3), (None,), 0.0)}
    fill(path, players)
    assert content(path, *players, "nobody") == players


def test_columns_keep_their_order_and_kind(path: Path) -> None:
    columns = Columns(("z", "a", "m"), ("y", "b"))
    fill(path, {}, columns)
    with contextlib.closing(open_store(path)) as connection:
        assert read_columns(connection) == columns


def test_last_write_of_a_player_wins(path: Path) -> None:
    with replacing_store(path, COLUMNS) as connection:
        write_players(connection, [("p1", player(1)), ("p1", player(2))])
    assert content(path, "p1") == {"p1": player(2)}


def test_failed_load_keeps_the_old_store(path: Path) -> None:
    fill(path, {"p1": player(1)})
    with pytest.raises(ValueError, match="in the middle"):
        fill_in_part(path)
    assert content(path, "p1") == {"p1": player(1)}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_failed_load_without_an_old_store_leaves_no_file(path: Path) -> None:
    with pytest.raises(ValueError, match="in the middle"):
        fill_in_part(path)
    assert list(path.parent.iterdir()) == []


def test_readers_see_the_old_store_until_the_new_one_is_complete(path: Path) -> None:
    fill(path, {"p1": player(1)})
    with replacing_store(path, COLUMNS) as connection:
        write_players(connection, [("p1", player(2))])
        assert content(path, "p1") == {"p1": player(1)}
    assert content(path, "p1") == {"p1": player(2)}


def test_file_of_an_interrupted_load_does_not_prevent_the_next(path: Path) -> None:
    path.with_name(path.name + ".loading").write_bytes(b"half a store")
    fill(path, {"p1": player(1)})
    assert content(path, "p1") == {"p1": player(1)}


def test_two_concurrent_loads_leave_one_complete_store(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError), replacing_store(path, COLUMNS) as second:
        with replacing_store(path, COLUMNS) as first:
            write_players(second, [("p1", player(2))])
            write_players(first, [("p1", player(1)), ("p2", player(1))])
        assert content(path, "p1", "p2") == {"p1": player(1), "p2": player(1)}
    assert content(path, "p1", "p2") == {"p1": player(2)}


def test_store_is_opened_read_only(path: Path) -> None:
    fill(path, {})
    with contextlib.closing(open_store(path)) as connection, pytest.raises(Exception, match="readonly"):
        connection.execute("DELETE FROM players")


def test_opening_a_missing_store_does_not_create_it(path: Path) -> None:
    with pytest.raises(Misconfigured, match="mesh features load"):
        open_store(path)
    assert not path.exists()


@given(st.lists(st.none() | st.text('aé"\\,[]\n€', max_size=8), max_size=5).map(tuple))
def test_packed_texts_unpack_to_the_same_texts(texts: tuple[str | None, ...]) -> None:
    assert unpack_texts(pack_texts(texts)) == texts
