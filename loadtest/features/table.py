"""A table of a workload's players, held by the fault server while it has no fault: as little work as a table can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emulators.aws import CREDENTIALS, use_credentials
from emulators.fault_answers import on_the_wire
from emulators.fault_process import FaultyDynamoDB, faulty_dynamodb
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import SCHEMA_KEY, schema_item
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures, LayoutName

TABLE = "players"


def block(layout: LayoutName, columns: Columns, endpoint: str = "http://127.0.0.1", timeout_ms: float = 2000) -> Any:
    """The catalog's `features` of a table in that layout, as YAML has it."""
    named = {"numbers": list(columns.numbers), "texts": list(columns.texts)}
    return {
        "store": "dynamodb",
        "table": TABLE,
        "region": CREDENTIALS["region_name"],
        "endpoint_url": endpoint,
        "layout": layout,
        "timeout_ms": timeout_ms,
        **({"entity": "player", "columns": named} if layout == "feast" else {}),
    }


@contextmanager
def serving_table(
    folder: Path,
    layout: LayoutName,
    columns: Columns,
    players: Iterable[tuple[str, PlayerFeatures]],
    later: Iterable[tuple[str, PlayerFeatures]] = (),
) -> Iterator[FaultyDynamoDB]:
    """The table on loopback, found with credentials as every AWS program finds them, until the block is left.

    `later` is what it holds instead while a fault says so.
    """
    use_credentials()
    features = DynamoFeatures.model_validate(block(layout, columns))
    items, later_items = (_items(features, columns, state) for state in (players, later))
    with faulty_dynamodb(folder, items, later=later_items, table=TABLE, key=features.hash_key) as server:
        yield server


def _items(
    features: DynamoFeatures, columns: Columns, players: Iterable[tuple[str, PlayerFeatures]]
) -> Sequence[Mapping[str, Any]]:
    writing = layout_of(features, columns)
    written = ((writing.key(player), writing.write(known)) for player, known in players)
    return [
        {features.hash_key: {"S": key}, **on_the_wire(item)}
        for key, item in [(SCHEMA_KEY, schema_item(columns)), *written]
    ]
