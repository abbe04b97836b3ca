"""Reads from a table of players: one BatchGetItem request, with its items by key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.players.dynamodb.attributes import MAX_KEY_BYTES, Item
from mesh.players.dynamodb.client import Reader
from mesh.players.dynamodb.schema import RESERVED_KEYS, SCHEMA_KEY, columns_in
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures

MAX_KEYS = 100
_TTL_REACH_S = 5 * 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class Page:
    """The response to one BatchGetItem: the items by key, and the unprocessed keys."""

    items: Mapping[str, Item]
    unprocessed: tuple[str, ...]


async def read_page(reader: Reader, features: DynamoFeatures, keys: Sequence[str]) -> Page:
    """Reads at most 100 distinct, non-empty `keys` in one request; a key without an item is absent.

    Raises the errors of botocore, and ValueError for an invalid response. The result includes expired items.
    """
    name = features.hash_key
    wanted: dict[str, Any] = {"Keys": [{name: {"S": key}} for key in keys]}
    if features.consistent:
        wanted["ConsistentRead"] = True
    response = json.loads(await reader.batch_get({"RequestItems": {features.table: wanted}}))
    try:
        items = {item[name]["S"]: item for item in response["Responses"].get(features.table, ())}
        left = response.get("UnprocessedKeys", {}).get(features.table, {}).get("Keys", ())
        return Page(items, tuple(key[name]["S"] for key in left))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the response is not from DynamoDB: {error!r}") from error


async def read_table_columns(reader: Reader, features: DynamoFeatures) -> Columns | None:
    """Reads the columns from the schema item of the table; None if it has none. Raises the errors of `read_page`."""
    page = await read_page(reader, features, [SCHEMA_KEY])
    if page.unprocessed:
        raise ValueError("the table did not process the read of its columns")
    item = page.items.get(SCHEMA_KEY)
    return None if item is None else columns_in(item)


def is_valid_player_id(player_id: str) -> bool:
    """Whether a table can have a player with this ID; DynamoDB rejects a whole batch for one invalid key."""
    return 0 < len(player_id.encode()) <= MAX_KEY_BYTES and player_id not in RESERVED_KEYS


def expiry_s(item: Item, features: DynamoFeatures, now_s: float) -> float | None:
    """Returns when an item expires (Unix time), or None if never. DynamoDB still returns expired items for days.

    An item whose time lies more than five years before `now_s` never expires, so 0 means never (Amazon DynamoDB
    Developer Guide, "Using time to live (TTL)").
    """
    ends = item.get(features.ttl, {}).get("N") if features.ttl else None
    if ends is None or float(ends) < now_s - _TTL_REACH_S:
        return None
    return float(ends)
