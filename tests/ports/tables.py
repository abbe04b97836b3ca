"""DynamoDB tables for tests: their `features` block, and players written by the code of the layout."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from mesh.players.dynamodb.client import open_client
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.table_writer import TableWriter
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures, LayoutName, TableColumns

LONG_S = 20.0


def features_of(endpoint: str, layout: LayoutName, columns: Columns) -> DynamoFeatures:
    """A `features` block for a table with a unique name."""
    is_feast = layout == "feast"
    return DynamoFeatures(
        store="dynamodb",
        table=f"players-{secrets.token_hex(4)}",
        region="eu-west-1",
        endpoint_url=endpoint,
        layout=layout,
        entity="player" if is_feast else None,
        columns=TableColumns(numbers=columns.numbers, texts=columns.texts) if is_feast else None,
        timeout_ms=LONG_S * 1000,
    )


@dataclass(frozen=True)
class Table:
    """A table and its client, which waits long enough for a busy machine."""

    client: Any
    features: DynamoFeatures

    async def create(self) -> None:
        await TableWriter(self.client, self.features).check_table(create=True)

    async def write(self, columns: Columns, players: Mapping[str, PlayerFeatures]) -> None:
        layout, writer = layout_of(self.features, columns), TableWriter(self.client, self.features)
        if self.features.columns is None:
            await writer.save_columns(columns)
        await writer.write({layout.key(player): layout.write(known) for player, known in players.items()})


def table_client(features: DynamoFeatures) -> AbstractAsyncContextManager[Any]:
    return open_client(features)
