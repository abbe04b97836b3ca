"""One table through every source of features: the scores equal those of `Booster.predict` on the DataFrame bit for bit.

The code of the supervisor builds the rows. Other tests check that workers score rows like LightGBM.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightgbm
import numpy as np
import pandas as pd
import pytest
import yaml

from emulators.aws import use_credentials
from emulators.processes import Server
from mesh.catalog.catalog import ContextKind, load
from mesh.catalog.offers_table import read_offers
from mesh.catalog.sources import Sources
from mesh.cli.main import main
from mesh.model_file import read_header
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import LayoutName
from mesh.wire import offers_pb2 as wire
from supervisor.features.dynamodb import open_dynamo_store
from supervisor.features.sqlite import SqliteStore
from supervisor.game import Game
from supervisor.guards import Guards
from supervisor.messages import score_query
from supervisor.rows import CohortRows, Passenger, lay_out
from supervisor.traffic import Traffic
from tests.forests import Matrix, fit
from tests.ports.tables import LONG_S, features_of
from tests.supervisor.counting_metrics import CountingMetrics

ROWS, TRAINING_ROWS, ROWS_IN_MOTO = 2600, 3000, 120
BIG = 2**53
LAYOUTS: tuple[LayoutName, ...] = ("packed", "attributes", "map", "feast")
AS_TEXT = ("country", "guild", "league")  # texts, also of digits, and integers that float64 rounds
NOWHERE = Columns((), ())


@dataclass(frozen=True)
class Table:
    """A frame of players, the model that a frame like it trained, and the expected scores."""

    folder: Path
    frame: pd.DataFrame
    booster: lightgbm.Booster
    expected: Matrix

    def scores(self, sources: Sources, rows: CohortRows) -> Matrix:
        """The scores of LightGBM for the rows that the supervisor builds."""
        matrix = rows.matrix(lay_out(read_header(self.folder / "m.txt"), sources)).rows
        return np.asarray(self.booster.predict(matrix, num_threads=1), np.float64)

    def of_players(self, columns: Columns, players: Mapping[str, PlayerFeatures]) -> Matrix:
        """The scores of the frame's players, as a store has them."""
        known = [players[player] for player in self.frame.index]
        return self.scores(Sources(columns, {}, None), CohortRows(columns, known, [Passenger({}, ())] * len(known)))


def make_frame(rng: np.random.Generator, count: int, *, is_training: bool) -> pd.DataFrame:
    """A column of every type that LightGBM accepts; a frame that is not for training has values that it lacked."""

    def some(values: Sequence[Any], unseen: Sequence[Any] = (), missing: float = 0.1) -> pd.Series[Any]:
        values = [*values, *(() if is_training else unseen)]
        drawn = [values[at] for at in rng.integers(0, len(values), count)]
        return pd.Series([None if rng.random() < missing else value for value in drawn], dtype=object)

    return pd.DataFrame(
        {
            "power": rng.normal(size=count) * 10.0 ** rng.integers(-8, 9, count),
            "spend": some([0.0, -0.0, 0.1, 1 / 3, 1e-40, 1e120, -7.25]).astype("float64"),
            "skill": rng.normal(size=count).astype("float32"),
            "level": rng.integers(1, 90, count).astype("int16"),
            "coins": rng.choice([BIG + 1, BIG, BIG - 1, -BIG - 1, 2**62 + 1], count),
            "days": some([1, 2, 365]).astype("Int64"),
            "is_paying": rng.random(count) < 0.5,
            "is_new": some([True, False]).astype("boolean"),
            "country": some(["", "de", "us", "wéb 🐉", 'a,b "c"'], ["DE", " us", "nan"]).astype("category"),
            "league": some(["1", "2", "10", "03"], ["3", "1.0", ""]).astype("category"),
            "guild": some([BIG + 1, BIG, 12, 3, 4], [BIG + 2, BIG - 1]).astype("category"),
            "tier": some([10, 20, 30, 40], [50, 0]).astype("category"),
            "ratio": some([0.5, 0.1, 2.5, 7.0, 8.0, 9.5], [0.25]).astype("category"),
            "is_guest": some([True, False]).astype("category"),
        }
    )


def save_model(path: Path, rng: np.random.Generator) -> None:
    """Trains a model that splits on every column."""
    frame = make_frame(rng, TRAINING_ROWS, is_training=True)
    labels = np.zeros(len(frame))
    for number, name in enumerate(frame.columns):
        labels += pd.factorize(frame[name])[0] % 3 == number % 3
    params = {"objective": "regression", "num_leaves": 31, "min_data_per_group": 5, "cat_smooth": 1}
    fit(frame, labels, params | {"learning_rate": 0.3}).save_model(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder, rng = tmp_path_factory.mktemp("sources"), np.random.default_rng(20_261_128)
    save_model(folder / "m.txt", rng)
    frame = make_frame(rng, ROWS, is_training=False).set_index(pd.Index([f"p{row}" for row in range(ROWS)]))
    booster = lightgbm.Booster(model_file=folder / "m.txt")
    unused = set(frame.columns) - set(booster.trees_to_dataframe()["split_feature"].dropna())
    assert not unused, f"no tree uses {unused}"
    return Table(folder, frame, booster, np.asarray(booster.predict(frame, num_threads=1), np.float64))


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of the frame as values of Python; None for a missing value."""
    columns = [[None if pd.isna(value) else value for value in frame[name].astype(object)] for name in frame.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(frame.columns, values, strict=True))


def write_csv(path: Path, id_column: str, frame: pd.DataFrame) -> None:
    """Writes texts in quotes, so that the empty text differs from a missing value, and a blank line at the end."""
    lines = [",".join([id_column, *frame.columns])]
    for player, row in zip(frame.index, rows_of(frame), strict=True):
        lines.append(",".join([player, *map(csv_cell, row.values())]))
    path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")


def csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if value is None:
        return ""
    is_whole = isinstance(value, bool | np.bool_ | int | np.integer)
    return str(value) if is_whole else repr(float(value))


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    frame.rename_axis("player_id").reset_index().to_parquet(path)


def write_catalog(folder: Path, features: Mapping[str, Any], **more: Any) -> Path:
    versions = {"v1": {"models": [{"name": "m", "uri": "m.txt"}]}}
    path = folder / "mesh.yaml"
    path.write_text(yaml.safe_dump({"game": "g", "features": dict(features), "versions": versions, **more}))
    return path


def load_players(table: Table, file: Path, features: Mapping[str, Any], *flags: str) -> None:
    catalog = write_catalog(table.folder, features)
    texts = [word for name in AS_TEXT for word in ("--text", name)]
    assert main(["features", "load", str(file), "--catalog", str(catalog), *texts, *flags]) == 0


def players_in_sqlite(table: Table, file: Path) -> tuple[Columns, Mapping[str, PlayerFeatures]]:
    load_players(table, file, {"path": "players.sqlite"})

    async def read() -> tuple[Columns, Mapping[str, PlayerFeatures]]:
        store = SqliteStore(table.folder / "players.sqlite")
        found = await store.read(list(table.frame.index), LONG_S)
        await store.close()
        return found.columns, found.players

    return asyncio.run(read())


def test_players_of_a_csv_file_score_like_the_frame(table: Table) -> None:
    write_csv(table.folder / "players.csv", "player_id", table.frame)
    columns, players = players_in_sqlite(table, table.folder / "players.csv")
    np.testing.assert_array_equal(table.of_players(columns, players), table.expected)


def test_players_of_a_parquet_file_score_like_the_frame(table: Table) -> None:
    write_parquet(table.folder / "players.parquet", table.frame)
    columns, players = players_in_sqlite(table, table.folder / "players.parquet")
    np.testing.assert_array_equal(table.of_players(columns, players), table.expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_items_in_every_layout_score_like_the_frame(table: Table, layout: LayoutName) -> None:
    write_parquet(table.folder / "items.parquet", table.frame)
    columns, players = players_in_sqlite(table, table.folder / "items.parquet")
    form = layout_of(features_of("http://x", layout, columns), columns)
    items = {player: json.loads(json.dumps(form.write(one), default=_base64)) for player, one in players.items()}
    read = {player: form.read(item, 0.0) for player, item in items.items()}
    np.testing.assert_array_equal(table.of_players(columns, read), table.expected)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_players_loaded_into_a_table_score_like_the_frame(
    table: Table, layout: LayoutName, moto_server: Server
) -> None:
    use_credentials()
    few = Table(table.folder, table.frame[:ROWS_IN_MOTO], table.booster, table.expected[:ROWS_IN_MOTO])
    file = few.folder / "few.parquet"
    write_parquet(file, few.frame)
    columns, _ = await asyncio.to_thread(players_in_sqlite, few, file)
    features = features_of(moto_server.endpoint, layout, columns)
    block = json.loads(features.model_dump_json(exclude_none=True))
    await asyncio.to_thread(load_players, few, file, block, "--create")
    async with open_dynamo_store(features, CountingMetrics()) as store:
        batches = [await store.read(list(few.frame.index[at : at + 100]), LONG_S) for at in (0, 100)]
    assert not any(batch.unread for batch in batches)
    players = {player: known for batch in batches for player, known in batch.players.items()}
    np.testing.assert_array_equal(few.of_players(batches[0].columns, players), few.expected)


def test_offers_score_like_the_frame(table: Table) -> None:
    write_csv(table.folder / "offers.csv", "offer_id", table.frame)
    offers = read_offers(table.folder / "offers.csv")
    rows = CohortRows(NOWHERE, [None], [Passenger({}, range(len(offers.ids)))])
    np.testing.assert_array_equal(table.scores(Sources(NOWHERE, {}, offers), rows), table.expected)


async def test_context_of_score_requests_scores_like_the_frame(table: Table) -> None:
    kinds = {name: _kind(name) for name in table.frame.columns}
    catalog = load(write_catalog(table.folder, {"path": "unused.sqlite"}, context=kinds))
    traffic = Traffic(catalog)
    game = Game(catalog, None, {}, traffic, Guards(catalog, traffic, lambda _: True))
    passengers = []
    for row in rows_of(table.frame):
        context = {name: _context(kinds[name], value) for name, value in row.items() if value is not None}
        query = score_query(wire.ScoreRequest(game="g", player_id="p", context=context))
        passengers.append(game.ticket_to_score(query, cast("Any", None), None)[0].passenger)
    rows = CohortRows(NOWHERE, [None] * ROWS, passengers)
    np.testing.assert_array_equal(table.scores(Sources(NOWHERE, kinds, None), rows), table.expected)


def _kind(name: str) -> ContextKind:
    if name in AS_TEXT:
        return "text"
    return "boolean" if name in ("is_paying", "is_new", "is_guest") else "number"


def _context(kind: ContextKind, value: Any) -> wire.ContextValue:
    if kind == "text":
        return wire.ContextValue(text=str(value))
    return wire.ContextValue(flag=bool(value)) if kind == "boolean" else wire.ContextValue(number=float(value))


def _base64(value: object) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()
