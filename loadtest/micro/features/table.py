"""A DynamoDB table of players in the fault server, which does very little work per request."""

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
    """The `features` block of the catalog, as in YAML, for a table in that layout."""
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
    """Serves the table until the block ends, and sets AWS credentials in the environment.

    While a fault has `later` set, the table holds the players `later` instead.
    """
    use_credentials()
    features = DynamoFeatures.model_validate(block(layout, columns))
    items, later_items = (_items(features, columns, state) for state in (players, later))
    with faulty_dynamodb(folder, items, later=later_items, table=TABLE, key=features.hash_key) as server:
        yield server


def _items(
    features: DynamoFeatures, columns: Columns, players: Iterable[tuple[str, PlayerFeatures]]
) -> Sequence[Mapping[str, Any]]:
    layout = layout_of(features, columns)
    written = ((layout.key(player), layout.write(known)) for player, known in players)
    return [
        {features.hash_key: {"S": key}, **on_the_wire(item)}
        for key, item in [(SCHEMA_KEY, schema_item(columns)), *written]
    ]
