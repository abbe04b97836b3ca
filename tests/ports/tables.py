"""DynamoDB tables for tests: their `features` block, filled with players by the layout's own writing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from loadtest.servers.aws import CREDENTIALS
from mesh.catalog_features import DynamoFeatures, Layout, TableColumns
from mesh.dynamodb.client import open_client
from mesh.dynamodb.layouts import layout_of
from mesh.dynamodb.schema import SCHEMA_KEY, schema_item
from mesh.player_features import Columns, PlayerFeatures

LONG_S = 20.0


def set_credentials() -> None:
    """As a pod has them: in the environment."""
    os.environ["AWS_ACCESS_KEY_ID"] = CREDENTIALS["aws_access_key_id"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = CREDENTIALS["aws_secret_access_key"]


def features_of(endpoint: str, layout: Layout, columns: Columns) -> DynamoFeatures:
    """A block for a table of a name of its own."""
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
    """A table, through a client that waits as long as a busy machine needs."""

    client: Any
    features: DynamoFeatures

    async def create(self) -> None:
        key = self.features.hash_key
        await self.client.create_table(
            TableName=self.features.table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    async def write(self, columns: Columns, players: Mapping[str, PlayerFeatures]) -> None:
        layout = layout_of(self.features, columns)
        if self.features.columns is None:
            await self._put(SCHEMA_KEY, schema_item(columns))
        for player, features in players.items():
            await self._put(layout.key(player), layout.write(features))

    async def _put(self, key: str, attributes: Mapping[str, Any]) -> None:
        item = {self.features.hash_key: {"S": key}, **attributes}
        await self.client.put_item(TableName=self.features.table, Item=item)


def table_client(features: DynamoFeatures) -> AbstractAsyncContextManager[Any]:
    return open_client(features)
