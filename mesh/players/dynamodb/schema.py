"""What a table holds beside the players: its columns (features, their kinds, their order), and a load under way."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mesh.players.dynamodb.attributes import Item
from mesh.players.features import Columns

SCHEMA_KEY, LOADING_KEY = "mesh:columns", "mesh:loading"
RESERVED_KEYS = frozenset({SCHEMA_KEY, LOADING_KEY})  # players of these names are unknown
COLUMNS_HASH, WRITTEN_AT = "mesh_columns", "mesh_written_at"
NUMBERS, TEXTS = "numbers", "texts"  # of a packed item


def columns_hash(columns: Columns) -> str:
    """16 hexadecimal digits that tell one set of columns, in one order, from another."""
    return hashlib.sha256(_as_json(columns).encode()).hexdigest()[:16]


def hash_in(item: Item) -> str | None:
    """The hash of the columns that an item was written with; None where it does not tell."""
    told = item.get(COLUMNS_HASH)
    return None if told is None else told.get("S")


def schema_item(columns: Columns) -> dict[str, Any]:
    """The attributes of the item, without its key."""
    return {"columns": {"S": _as_json(columns)}, COLUMNS_HASH: {"S": columns_hash(columns)}}


def columns_in(item: Item) -> Columns:
    """The columns of a schema item; raises ValueError when it is none."""
    try:
        told = json.loads(item["columns"]["S"])
        return Columns(tuple(told["numbers"]), tuple(told["texts"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the item {SCHEMA_KEY!r} has no columns") from error


def _as_json(columns: Columns) -> str:
    told = {"numbers": columns.numbers, "texts": columns.texts}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
