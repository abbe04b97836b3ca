"""The items of a table that are not players: its columns (names, kinds, order) and the progress of a load."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mesh.players.dynamodb.attributes import Item
from mesh.players.features import Columns

SCHEMA_KEY, LOADING_KEY = "mesh:columns", "mesh:loading"
RESERVED_KEYS = frozenset({SCHEMA_KEY, LOADING_KEY})  # a player cannot have these IDs
COLUMNS_HASH, WRITTEN_AT = "mesh_columns", "mesh_written_at"
NUMBERS, TEXTS = "numbers", "texts"  # attributes of a packed item


def columns_hash(columns: Columns) -> str:
    """Returns 16 hexadecimal digits that identify the columns and their order."""
    return hashlib.sha256(_as_json(columns).encode()).hexdigest()[:16]


def hash_in(item: Item) -> str | None:
    """Returns the hash of the columns that an item was written with; None if it has none."""
    attribute = item.get(COLUMNS_HASH)
    return None if attribute is None else attribute.get("S")


def schema_item(columns: Columns) -> dict[str, Any]:
    """Returns the attributes of the schema item, without its key."""
    return {"columns": {"S": _as_json(columns)}, COLUMNS_HASH: {"S": columns_hash(columns)}}


def columns_in(item: Item) -> Columns:
    """Returns the columns in a schema item; raises ValueError if it is not a schema item."""
    try:
        names = json.loads(item["columns"]["S"])
        return Columns(tuple(names["numbers"]), tuple(names["texts"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the item {SCHEMA_KEY!r} has no columns") from error


def _as_json(columns: Columns) -> str:
    names = {"numbers": columns.numbers, "texts": columns.texts}
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))
