"""One request to a table of players: a batch of keys, its answer decoded and sorted by who was asked for."""

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


@dataclass(frozen=True, slots=True)
class Page:
    """What one BatchGetItem answered: the items by key, and the keys that it did not get to."""

    items: Mapping[str, Item]
    unprocessed: tuple[str, ...]


async def read_page(reader: Reader, features: DynamoFeatures, keys: Sequence[str]) -> Page:
    """Reads at most 100 distinct `keys`, none empty, in one request; a key without an item is absent.

    Raises botocore's errors, and ValueError for an answer that is none. An item past its TTL is still here.
    """
    name = features.hash_key
    asked: dict[str, Any] = {"Keys": [{name: {"S": key}} for key in keys]}
    if features.consistent:
        asked["ConsistentRead"] = True
    answer = json.loads(await reader.batch_get({"RequestItems": {features.table: asked}}))
    try:
        items = {item[name]["S"]: item for item in answer["Responses"].get(features.table, ())}
        left = answer.get("UnprocessedKeys", {}).get(features.table, {}).get("Keys", ())
        return Page(items, tuple(key[name]["S"] for key in left))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the answer is not one of DynamoDB: {error!r}") from error


async def read_table_columns(reader: Reader, features: DynamoFeatures) -> Columns | None:
    """The columns that the table tells by its schema item; None when it has none. Raises as `read_page` does."""
    page = await read_page(reader, features, [SCHEMA_KEY])
    if page.unprocessed:
        raise ValueError("the table did not get to the item with its columns")
    item = page.items.get(SCHEMA_KEY)
    return None if item is None else columns_in(item)


def can_be_known(player_id: str) -> bool:
    """Whether a table can have a player of this name; DynamoDB refuses a whole batch for one key that it cannot."""
    return 0 < len(player_id.encode()) <= MAX_KEY_BYTES and player_id not in RESERVED_KEYS


def end_of(item: Item, features: DynamoFeatures) -> float | None:
    """When its TTL is over (Unix time): DynamoDB deletes such items within days, and answers them until then."""
    ends = item.get(features.ttl, {}).get("N") if features.ttl else None
    return None if ends is None else float(ends)
