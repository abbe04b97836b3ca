"""`mesh features load` and `mesh features get` on a DynamoDB table."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.client import AioBaseClient

from emulators.aws import use_credentials
from emulators.faults import Fault
from emulators.processes import Server
from loadtest.features.table import serving_table
from mesh.cli.features import get as features_get
from mesh.cli.main import main
from mesh.players.dynamodb import writing
from mesh.players.dynamodb.schema import LOADING_KEY, SCHEMA_KEY
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.loading import dynamodb as table_loading
from mesh.players.settings import Layout
from tests.mesh.cli.table_loader import TableLoader

PLAYERS = "player_id,age,country,vip,spend,updated_at\n007,31,de,true,0.1,2026-10-01T12:00:00Z\nanna,,,,,\n"
SEEN = {"age": 31.0, "vip": 1.0, "spend": 0.1, "country": "de"}


@pytest.fixture
def table(tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]) -> TableLoader:
    use_credentials()
    return TableLoader(tmp_path, moto_server.endpoint, capsys)


def many(rows: int) -> str:
    return "player_id,level\n" + "".join(f"p{row},{row}\n" for row in range(rows))


@pytest.mark.parametrize("layout", ["packed", "attributes", "map", "feast"])
def test_players_come_back_as_they_were_in_the_file(
    layout: Layout, tmp_path: Path, dynamodb_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    feast = {"entity": "player", "columns": {"numbers": ["spend", "vip", "age"], "texts": ["country"]}}
    more = feast if layout == "feast" else {}
    table = TableLoader(tmp_path, dynamodb_server.endpoint, capsys, layout=layout, **more)
    assert table.load(PLAYERS, "--create") == 0
    assert table.get("007") == SEEN
    assert table.get("anna") == dict.fromkeys(SEEN)


async def test_thousands_of_players_are_all_there_and_no_load_is_left(table: TableLoader) -> None:
    assert await asyncio.to_thread(table.load, many(2_345), "--create") == 0
    expected = {f"p{row}": (float(row),) for row in range(2_345)}
    assert await table.numbers(list(expected)) == expected
    assert await table.reserved() == {SCHEMA_KEY}


class Interruptions:
    """Stands between the client and the table: leaves keys unprocessed, and breaks off."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.puts = 0
        self.break_after_puts: int | None = None
        self.unprocessed = 0
        call = AioBaseClient._make_api_call

        async def between(client: Any, operation: str, parameters: Any) -> Any:
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

        monkeypatch.setattr(AioBaseClient, "_make_api_call", between)


async def test_items_that_were_left_unprocessed_are_sent_until_they_are_there(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FIRST_PAUSE_S", 0.0)
    Interruptions(monkeypatch).unprocessed = 25
    assert await asyncio.to_thread(table.load, many(100), "--create") == 0
    assert len(await table.numbers([f"p{row}" for row in range(100)])) == 100


async def test_a_load_that_broke_off_goes_on_where_it_was(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table_loading, "_SLICE_ROWS", 100)
    between = Interruptions(monkeypatch)
    between.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    assert await table.reserved() == {SCHEMA_KEY, LOADING_KEY}
    before, between.break_after_puts = between.puts, None
    capsys.readouterr()

    assert await asyncio.to_thread(table.load, many(400)) == 0

    assert "400 players" in (said := capsys.readouterr().out)
    assert "(200 of them by an earlier load that was interrupted)" in said
    assert between.puts - before == 200
    expected = {f"p{row}": (float(row),) for row in range(400)}
    assert await table.numbers(list(expected)) == expected


async def test_a_load_goes_on_at_its_row_wherever_the_slices_fall(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_loading, "_SLICE_ROWS", 100)
    between = Interruptions(monkeypatch)
    between.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    between.break_after_puts, between.puts = None, 0
    monkeypatch.setattr(table_loading, "_SLICE_ROWS", 130)
    assert await asyncio.to_thread(table.load, many(400)) == 0
    expected = {f"p{row}": (float(row),) for row in range(400)}
    assert (between.puts, await table.numbers(list(expected))) == (200, expected)


async def test_a_load_does_not_go_on_after_another_has_written_between(
    table: TableLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_loading, "_SLICE_ROWS", 100)
    between = Interruptions(monkeypatch)
    between.break_after_puts = 250
    assert await asyncio.to_thread(table.load, many(400), "--create") == 130
    between.break_after_puts, between.puts = 50, 0
    assert await asyncio.to_thread(table.load, many(300).replace("p0,0", "p0,7")) == 130
    between.break_after_puts = None
    assert await asyncio.to_thread(table.load, many(400)) == 0
    assert (await table.numbers(["p0"]))["p0"] == (0.0,)


async def test_another_file_does_not_go_on_with_it(table: TableLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_loading, "_SLICE_ROWS", 100)
    between = Interruptions(monkeypatch)
    between.break_after_puts = 150
    assert await asyncio.to_thread(table.load, many(200), "--create") == 130
    between.break_after_puts, between.puts = None, 0
    assert await asyncio.to_thread(table.load, many(201)) == 0
    assert between.puts == 201


def test_a_table_that_is_not_there_is_told(table: TableLoader) -> None:
    assert table.load(PLAYERS) == 2
    assert "is not in eu-west-1; create it, or --create, or correct `table` and `region`" in table.complaint()


def test_an_item_above_400_kb_is_refused_with_its_place(table: TableLoader) -> None:
    content = f'player_id,letter\nsmall,x\nbig,"{"é" * 250_000}"\n'
    assert table.load(content, "--create") == 2
    said = table.complaint()
    assert "players.csv:3: player 'big' has 500," in said
    assert "DynamoDB takes 409,600" in said


@pytest.mark.parametrize("layout", ["attributes", "map"])
def test_a_number_that_no_attribute_can_hold_is_refused(
    layout: Layout, tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout=layout)
    assert table.load("player_id,level\np,1e200\n", "--create") == 2
    assert "players.csv:2: player 'p' 'level' is 1e+200" in table.complaint()


def test_a_player_named_twice_is_refused_before_anything_is_written(table: TableLoader) -> None:
    assert table.load("player_id,level\np,1\nq,2\np,3\n", "--create") == 2
    assert "player_id 'p' is already at" in table.complaint()


def test_other_columns_need_another_table_or_force(table: TableLoader) -> None:
    assert table.load("player_id,level\np,1\n", "--create") == 0
    assert table.load("player_id,rank\np,2\n") == 2
    assert "load into another table" in table.complaint()
    assert table.load("player_id,rank\np,2\n", "--force") == 0
    assert table.get("p") == {"rank": 2.0}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("player_id,level\np2,2\n", "has a column 'country', and the file has not"),
        ("player_id,level,country\np2,2,\n", "has 'country' of the other kind, number or text"),
        ("player_id,level,country,mesh_written_at\np2,2,de,7\n", "'mesh_written_at': a name that the table needs"),
        ("player_id,level,country,id\np2,2,de,x\n", "'id': a name that the table needs"),
    ],
)
def test_a_load_that_would_hurt_those_who_are_there_is_refused(
    other: str, told: str, tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes", key="id")
    assert table.load("player_id,level,country\np1,1,de\n", "--create") == 0
    assert table.load(other) == 2
    assert told in table.complaint()
    assert table.get("p1") == {"level": 1.0, "country": "de"}


def test_new_columns_of_attributes_come_after_the_old_ones(
    tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes")
    assert table.load("player_id,level\np1,1\n", "--create") == 0
    assert table.load("player_id,age,level\np2,30,2\n") == 0
    assert (table.get("p1"), table.get("p2")) == ({"level": 1.0, "age": None}, {"level": 2.0, "age": 30.0})


def test_columns_that_the_catalog_names_otherwise_are_refused(
    tmp_path: Path, moto_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    use_credentials()
    columns = {"numbers": ["level"], "texts": ["rank"]}
    table = TableLoader(tmp_path, moto_server.endpoint, capsys, layout="attributes", columns=columns)
    assert table.load("player_id,level,rank\np,1,2\n", "--create") == 2
    assert "rank: not as `features.columns` says" in table.complaint()


def test_a_player_whom_the_table_does_not_get_to_is_not_told_as_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials()
    monkeypatch.setattr(features_get, "PATIENCE_S", 1.0)
    columns = Columns(("level",), ())
    with serving_table(tmp_path, "packed", columns, [("p", PlayerFeatures(bytes(8), (), 5.0))]) as server:
        table = TableLoader(tmp_path, server.endpoint, capsys, table="players")
        assert table.get("p") == {"level": 0.0}
        server.set(Fault("unprocessed"))
        assert main(["features", "get", "p", "--catalog", str(table.catalog)]) == 2
    assert "did not" in table.complaint()


@pytest.mark.parametrize("player", ["nobody", "x" * 2049, SCHEMA_KEY])
def test_a_player_whom_the_table_does_not_know_is_told(player: str, table: TableLoader) -> None:
    assert table.load(PLAYERS, "--create") == 0
    assert main(["features", "get", player, "--catalog", str(table.catalog)]) == 1
    assert "the store does not know player" in table.complaint()
