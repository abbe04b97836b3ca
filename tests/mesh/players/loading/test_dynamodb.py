"""Loading players into a DynamoDB table."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.client import AioBaseClient

from emulators.aws import use_credentials
from emulators.processes import Server
from mesh.players.dynamodb import table_writer
from mesh.players.dynamodb.schema import LOADING_KEY, SCHEMA_KEY
from mesh.players.loading import dynamodb as dynamodb_loading
from mesh.players.settings import LayoutName
from tests.mesh.players.loading.table_loader import TableLoader

PLAYERS = "player_id,age,country,vip,spend,updated_at\n007,31,de,true,0.1,2026-10-01T12:00:00Z\nanna,,,,,\n"
FEATURES = {"age": 31.0, "vip": 1.0, "spend": 0.1, "country": "de"}


@pytest.fixture
def table(tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]) -> TableLoader:
    use_credentials()
    return TableLoader(tmp_path, moto_server.endpoint, capsys)


def many(rows: int) -> str:
    return "player_id,level\n" + "".join(f"p{row},{row}\n" for row in range(rows))


@pytest.mark.parametrize("layout", ["packed", "attributes", "map", "feast"])
def test_loaded_players_equal_the_rows_of_the_file(
    layout: LayoutName, tmp_path: Path, dynamodb_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    feast = {"entity": "player", "columns": {"numbers": ["spend", "vip", "age"], "texts": ["country"]}}
    more = feast if layout == "feast" else {}
    table = TableLoader(tmp_path, dynamodb_server.endpoint, capsys, layout=layout, **more)
    assert table.load(PLAYERS, "--create") == 0
    assert table.get("007") == FEATURES
    assert table.get("anna") == dict.fromkeys(FEATURES)


async def test_thousands_of_players_are_loaded_and_the_progress_is_deleted(table: TableLoader) -> None:
    assert await asyncio.to_thread(table.load, many(2_345), "--create") == 0
    expected = {f"p{row}": (float(row),) for row in range(2_345)}
    assert await table.numbers(list(expected)) == expected
    assert await table.reserved() == {SCHEMA_KEY}


class Interruptions:
    """Intercepts the requests of the client: leaves items unprocessed, and interrupts the load."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.puts = 0
        self.break_after_puts: int | None = None
        self.unprocessed = 0
        call = AioBaseClient._make_api_call

        async def interruptions(client: Any, operation: str, parameters: Any) -> Any:
            if operation != "BatchWriteItem":
                return await call(client, operation, parameters)
            ((name, puts),) = parameters["RequestItems"].items()
            if self.break_after_puts is not None and self.puts >= self.break_after_puts:
                raise KeyboardInterrupt
            left = puts[: self.unprocessed]
            self.puts += len(puts) - len(left)
            if taken := puts[self.unprocessed :]:
                await call(client, operation, {"RequestItems": {name: taken}})
            self.unprocessed = max(0, self.unprocessed - 1)
            return {"UnprocessedItems": {name: left} if left else {}}

        monkeypatch.setattr(AioBaseClient, "_make_api_call", interruptions)


async def test_unprocessed_items_are_sent_again_until_all_are_written(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_writer, "FIRST_PAUSE_S", 0.0)
    Interruptions(monkeypatch).unprocessed = 25
    assert await asyncio.to_thread(table.load, many(100), "--create") == 0
    assert len(await table.numbers([f"p{row}" for row in range(100)])) == 100


async def test_interrupted_load_continues_at_its_last_saved_row(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dynamodb_loading, "_SLICE_ROWS", 100)
    interruptions = Interruptions(monkeypatch)
    interruptions.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    assert await table.reserved() == {SCHEMA_KEY, LOADING_KEY}
    before, interruptions.break_after_puts = interruptions.puts, None
    capsys.readouterr()

    assert await asyncio.to_thread(table.load, many(400)) == 0

    output = capsys.readouterr().out
    assert "400 players" in output
    assert "(200 of them by an earlier load that was interrupted)" in output
    assert interruptions.puts - before == 200
    expected = {f"p{row}": (float(row),) for row in range(400)}
    assert await table.numbers(list(expected)) == expected


async def test_interrupted_load_continues_with_another_slice_size(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_loading, "_SLICE_ROWS", 100)
    interruptions = Interruptions(monkeypatch)
    interruptions.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    interruptions.break_after_puts, interruptions.puts = None, 0
    monkeypatch.setattr(dynamodb_loading, "_SLICE_ROWS", 130)
    assert await asyncio.to_thread(table.load, many(400)) == 0
    expected = {f"p{row}": (float(row),) for row in range(400)}
    assert (interruptions.puts, await table.numbers(list(expected))) == (200, expected)


async def test_load_of_another_file_ends_an_interrupted_load(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_loading, "_SLICE_ROWS", 100)
    interruptions = Interruptions(monkeypatch)
    interruptions.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    interruptions.break_after_puts, interruptions.puts = 50, 0
    assert await asyncio.to_thread(table.load, many(300).replace("p0,0", "p0,7")) == 130
    interruptions.break_after_puts = None
    assert await asyncio.to_thread(table.load, many(400)) == 0
    assert (await table.numbers(["p0"]))["p0"] == (0.0,)


async def test_another_file_does_not_continue_the_load(table: TableLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb_loading, "_SLICE_ROWS", 100)
    interruptions = Interruptions(monkeypatch)
    interruptions.break_after_puts = 150
    assert await asyncio.to_thread(table.load, many(200), "--create") == 130
    interruptions.break_after_puts, interruptions.puts = None, 0
    assert await asyncio.to_thread(table.load, many(201)) == 0
    assert interruptions.puts == 201


def test_missing_table_is_reported(table: TableLoader) -> None:
    assert table.load(PLAYERS) == 2
    assert "does not exist in eu-west-1; use --create to create it, or correct `table` and `region`" in table.errors()


def test_item_above_400_kb_is_rejected_with_its_place(table: TableLoader) -> None:
    content = f'player_id,letter\nsmall,x\nbig,"{"é" * 250_000}"\n'
    assert table.load(content, "--create") == 2
    errors = table.errors()
    assert "players.csv:3: player 'big' has 500," in errors
    assert "the limit of DynamoDB is 409,600" in errors


@pytest.mark.parametrize("layout", ["attributes", "map"])
def test_number_out_of_the_range_of_dynamodb_is_rejected(
    layout: LayoutName, tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout=layout)
    assert table.load("player_id,level\np,1e200\n", "--create") == 2
    assert "players.csv:2: player 'p' 'level' is 1e+200" in table.errors()


def test_duplicate_player_is_rejected_before_the_first_write(table: TableLoader) -> None:
    assert table.load("player_id,level\np,1\nq,2\np,3\n", "--create") == 2
    assert "player_id 'p' is already at" in table.errors()


def test_other_columns_need_another_table_or_force(table: TableLoader) -> None:
    assert table.load("player_id,level\np,1\n", "--create") == 0
    assert table.load("player_id,rank\np,2\n") == 2
    assert "load into another table" in table.errors()
    assert table.load("player_id,rank\np,2\n", "--force") == 0
    assert table.get("p") == {"rank": 2.0}


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ("player_id,level\np2,2\n", "has a column 'country', but the file does not"),
        ("player_id,level,country\np2,2,\n", "has 'country' of the other kind (number or text)"),
        ("player_id,level,country,mesh_written_at\np2,2,de,7\n", "'mesh_written_at': a reserved name in this layout"),
        ("player_id,level,country,id\np2,2,de,x\n", "'id': a reserved name in this layout"),
    ],
)
def test_load_that_makes_existing_players_unreadable_is_rejected(
    other: str, fault: str, tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes", key="id")
    assert table.load("player_id,level,country\np1,1,de\n", "--create") == 0
    assert table.load(other) == 2
    assert fault in table.errors()
    assert table.get("p1") == {"level": 1.0, "country": "de"}


def test_new_columns_of_the_attributes_layout_are_added(
    tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes")
    assert table.load("player_id,level\np1,1\n", "--create") == 0
    assert table.load("player_id,age,level\np2,30,2\n") == 0
    assert (table.get("p1"), table.get("p2")) == ({"level": 1.0, "age": None}, {"level": 2.0, "age": 30.0})


def test_columns_that_differ_from_the_catalog_are_rejected(
    tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    columns = {"numbers": ["level"], "texts": ["rank"]}
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes", columns=columns)
    assert table.load("player_id,level,rank\np,1,2\n", "--create") == 2
    assert "rank: differs from `features.columns` in the catalog" in table.errors()
