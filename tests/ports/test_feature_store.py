"""The contract of feature stores, for SQLite and for DynamoDB in every layout."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulators.aws import use_credentials
from emulators.processes import Server
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import LayoutName
from mesh.players.sqlite import replacing_store, write_players
from supervisor.features.dynamodb import open_dynamo_store
from supervisor.features.port import FeatureStore
from supervisor.features.sqlite import SqliteStore
from tests.ports.tables import LONG_S, Table, features_of, table_client
from tests.supervisor.counting_metrics import CountingMetrics

COLUMNS = Columns(("level", "spend"), ("country", "platform"))
KINDS = ("sqlite", "packed", "attributes", "map", "feast")


def player(level: float, country: str | None = "DE") -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", level, -0.1), (country, "iös"), 1_700_000_000.25)


PLAYERS: Mapping[str, PlayerFeatures] = {
    "p1": player(1),
    "p2": player(1e-7, None),
    "wéird 'id\"": player(math.pi),
    "x" * 128: player(12_345_678_901.5),
}


@dataclass(frozen=True)
class Filled:
    """A store, and a function that writes players into it."""

    store: FeatureStore
    fill: Callable[[Columns, Mapping[str, PlayerFeatures]], Awaitable[None]]


@pytest.fixture(params=KINDS)
async def filled(request: pytest.FixtureRequest, tmp_path: Path, moto_server: Server) -> AsyncIterator[Filled]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield await _sqlite(stack, tmp_path / "players.sqlite")
        else:
            yield await _dynamo(stack, request.param, moto_server)


async def _sqlite(stack: AsyncExitStack, path: Path) -> Filled:
    async def fill(columns: Columns, players: Mapping[str, PlayerFeatures]) -> None:
        with replacing_store(path, columns) as connection:
            write_players(connection, players.items())

    await fill(COLUMNS, PLAYERS)
    store = SqliteStore(path)
    stack.push_async_callback(store.close)
    return Filled(store, fill)


async def _dynamo(stack: AsyncExitStack, layout: LayoutName, server: Server) -> Filled:
    use_credentials()
    features = features_of(server.endpoint, layout, COLUMNS)
    table = Table(await stack.enter_async_context(table_client(features)), features)
    await table.create()
    await table.write(COLUMNS, PLAYERS)
    return Filled(await stack.enter_async_context(open_dynamo_store(features, CountingMetrics())), table.write)


async def test_many_players_are_read_bit_for_bit(filled: Filled) -> None:
    batch = await filled.store.read(list(PLAYERS), LONG_S)
    assert (batch.columns, batch.players, batch.unread) == (COLUMNS, PLAYERS, {})


async def test_missing_number_is_nan_and_missing_text_is_none(filled: Filled) -> None:
    await filled.fill(COLUMNS, {"p3": PlayerFeatures(struct.pack("<2d", math.nan, 2), (None, None), 5.0)})
    found = (await filled.store.read(["p3"], LONG_S)).players["p3"]
    assert str(struct.unpack("<2d", found.numbers)) == "(nan, 2.0)"
    assert (found.texts, found.written_at_s) == ((None, None), 5.0)


async def test_empty_text_is_a_text(filled: Filled) -> None:
    await filled.fill(COLUMNS, {"p3": PlayerFeatures(struct.pack("<2d", 1, 2), ("", None), 5.0)})
    assert (await filled.store.read(["p3"], LONG_S)).players["p3"].texts == ("", None)


async def test_unknown_player_is_left_out(filled: Filled) -> None:
    batch = await filled.store.read(["nobody", "p1"], LONG_S)
    assert (batch.players, batch.unread) == ({"p1": PLAYERS["p1"]}, {})


@pytest.mark.parametrize("impossible", ["", "x" * 2048, "é" * 1025, "mesh:columns"], ids=["empty", "2k", "2k+", "ours"])
async def test_impossible_player_id_does_not_affect_the_others(filled: Filled, impossible: str) -> None:
    batch = await filled.store.read([impossible, "p1"], LONG_S)
    assert (batch.players, batch.unread) == ({"p1": PLAYERS["p1"]}, {})


async def test_empty_list_is_read(filled: Filled) -> None:
    assert (await filled.store.read([], LONG_S)).players == {}


async def test_player_requested_twice_is_read_once(filled: Filled) -> None:
    assert (await filled.store.read(["p1", "p2", "p1"], LONG_S)).players == {one: PLAYERS[one] for one in ("p1", "p2")}


async def test_250_players_are_read_completely(filled: Filled) -> None:
    many = {f"player-{number}": player(number) for number in range(0, 250, 5)}
    await filled.fill(COLUMNS, many)
    batch = await filled.store.read([f"player-{number}" for number in range(250)], LONG_S)
    assert (batch.players, batch.unread) == (many, {})


async def test_store_works_after_a_cancelled_read(filled: Filled) -> None:
    reading = asyncio.create_task(filled.store.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await filled.store.read(["p1"], LONG_S)).players == {"p1": PLAYERS["p1"]}


async def test_concurrent_reads_are_served(filled: Filled) -> None:
    batches = await asyncio.gather(*(filled.store.read([one], LONG_S) for one in PLAYERS))
    assert [batch.players for batch in batches] == [{one: PLAYERS[one]} for one in PLAYERS]


TURNED = Columns(("spend", "level"), ("country", "platform"))


@pytest.mark.parametrize("filled", ["sqlite", "packed"], indirect=True)
async def test_next_read_uses_columns_in_a_new_order(filled: Filled) -> None:
    await filled.store.read(["p1"], LONG_S)
    await filled.fill(TURNED, {"p1": player(7)})
    batch = await filled.store.read(["p1"], LONG_S)
    assert (batch.columns, batch.players) == (TURNED, {"p1": player(7)})


@pytest.mark.parametrize("filled", ["packed"], indirect=True)
async def test_packed_player_with_the_old_columns_is_unread(filled: Filled) -> None:
    await filled.fill(TURNED, {"p1": player(7)})  # p2 was written before
    batch = await filled.store.read(["p1", "p2"], LONG_S)
    assert (batch.players, set(batch.unread)) == ({"p1": player(7)}, {"p2"})
    assert "load it again" in batch.unread["p2"].reason
