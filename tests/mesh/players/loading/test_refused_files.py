from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.mesh.players.loading.player_loader import ONE_PLAYER, Loader

BAD_CSV: dict[str, tuple[str, list[str]]] = {
    "no player_id": ("id,age\np,1\n", ["{file}: has no column player_id; add it, with its name in the header"]),
    "an empty file": ("", ["{file}: has no column player_id; add it, with its name in the header"]),
    "no features": ("player_id\np\n", ["{file}: has no features; add a column for each feature"]),
    "no players": ("player_id,age\n", ["{file}: has no players; add a row for each player"]),
    "a column twice": ("player_id,age,age\np,1,2\n", ["{file}: column 'age' occurs twice; remove one"]),
    "a column without name": ("player_id,\np,1\n", ["{file}: column 2 has no name; add its name to the header"]),
    "an empty id": ("player_id,age\np,1\n,2\n", ["{file}:3: player_id is empty; give every player an ID"]),
    "an id that cannot be printed": (
        'player_id,age\n"a\tb",1\n',
        ["{file}:2: player_id has the character U+0009, which cannot be printed; remove it"],
    ),
    "a long id": (f"player_id,age\n{'é' * 65},1\n", ["{file}:2: player_id has 130 bytes; use at most 128 bytes"]),
    "a player twice": (
        "player_id,age\np,1\n\nq,2\np,3\n",
        ["{file}:5: player_id 'p' is already at {file}:2; keep one of them"],
    ),
    "infinite": (
        "player_id,age\np,1\nq,inf\n",
        ["{file}:3: column 'age' is inf; give a finite number, or leave it empty"],
    ),
    "mixed": (
        'player_id,age,t\np,1,"a\nb"\nq,old,c\n',
        [
            "{file}:4: column 'age' is 'old', but '1' at {file}:2; correct the cell, "
            "or load the column as text: --text age"
        ],
    ),
    "a short line": ("player_id,age\np,1\nq\n", ["{file}:3: has 1 cells, but the header has 2; fix the line"]),
    "no time": (
        "player_id,age,updated_at\np,1,yesterday\nq,2,20261301\n",
        [
            "{file}:2: updated_at is 'yesterday'; give ISO 8601 (2026-10-01T12:00:00Z) or seconds since 1970",
            "{file}:3: updated_at is '20261301'; give ISO 8601 (2026-10-01T12:00:00Z) or seconds since 1970",
        ],
    ),
}


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv_file_is_rejected_with_its_place_and_the_fix(
    loader: Loader, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    content, faults = BAD_CSV[case]

    assert loader.load_csv(content) == 2

    file = loader.folder / "players.csv"
    assert capsys.readouterr().err.splitlines() == [fault.format(file=file) for fault in faults]


def test_file_that_is_not_utf8_is_rejected(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load_csv(b"player_id,t\np,\xff\xfe\n") == 2
    line = capsys.readouterr().err
    assert "players.csv: cannot be read: " in line
    assert line.endswith("; save it as UTF-8\n")


def test_missing_file_is_rejected(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load(loader.folder / "nobody.csv") == 2
    assert "nobody.csv: cannot be read: " in capsys.readouterr().err


def test_file_with_another_suffix_is_rejected(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load(loader.folder / "players.xlsx") == 2
    assert "is neither .csv nor .parquet; " in capsys.readouterr().err


def test_text_option_with_an_unknown_column_is_rejected(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    assert loader.load_csv(ONE_PLAYER, "--text", "zip") == 2
    assert "has no feature 'zip'; correct --text" in capsys.readouterr().err


BAD_PARQUET: dict[str, tuple[dict[str, Any], str]] = {
    "float ids": ({"player_id": [1.5], "a": [1]}, "column player_id is of type double; store the IDs as texts"),
    "lists": ({"player_id": ["p"], "a": [[1]]}, "column 'a' is of type list<element: int64>; store numbers, "),
    "infinite": ({"player_id": ["p"], "a": [float("inf")]}, ", row 1: column 'a' is inf; give a finite number"),
    "no id": ({"player_id": pa.array(["p", None]), "a": [1, 2]}, ", row 2: player_id is empty; "),
    "twice": ({"player_id": ["p", "q", "p"], "a": [1, 2, 3]}, ", row 3: player_id 'p' is already at "),
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_bad_parquet_file_is_rejected_with_its_place_and_the_fix(
    loader: Loader, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    columns, expected = BAD_PARQUET[case]

    assert loader.load_parquet(columns) == 2
    assert expected in capsys.readouterr().err


def test_damaged_parquet_file_is_rejected(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    file = loader.folder / "players.parquet"
    file.write_bytes(b"PAR1 and then nothing that is valid")

    assert loader.load(file) == 2
    assert "players.parquet: cannot be read: " in capsys.readouterr().err


@pytest.mark.parametrize("case", BAD_CSV)
def test_failed_load_does_not_change_the_store(loader: Loader, case: str) -> None:
    loader.load_csv(ONE_PLAYER)
    before = loader.store.read_bytes()

    assert loader.load_csv(BAD_CSV[case][0]) == 2

    assert loader.store.read_bytes() == before
    assert [path.name for path in loader.store.parent.iterdir()] == ["players.sqlite"]


def test_store_that_cannot_be_written_is_reported(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    (loader.folder / "data").write_text("a file where a folder should be")

    assert loader.load_csv(ONE_PLAYER) == 2
    assert f"{loader.store}: cannot be written: " in capsys.readouterr().err
