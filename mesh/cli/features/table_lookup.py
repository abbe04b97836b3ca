"""Looks up one player in a DynamoDB table."""

from __future__ import annotations

import asyncio
import sys
import time

from mesh.cli.features.lookup import Lookup
from mesh.errors import Misconfigured
from mesh.players.dynamodb.attributes import Item, WrongItem
from mesh.players.dynamodb.client import Reader, open_reader
from mesh.players.dynamodb.errors import REQUEST_ERRORS, full_message
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.table import expiry_s, is_valid_player_id, read_page, read_table_columns
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures

RETRY_PAUSE_S = 0.1


async def look_up_in_table(features: DynamoFeatures, player_id: str, within_s: float) -> Lookup:
    """Reads the player; raises Misconfigured if that fails or takes longer than `within_s`."""
    try:
        async with asyncio.timeout(within_s), open_reader(features) as reader:
            columns = await _columns(reader, features)
            item = await _item(reader, features, columns, player_id)
    except REQUEST_ERRORS as error:
        raise Misconfigured([full_message(error, features)]) from error
    return Lookup(columns, None if item is None else _player(item, features, columns, player_id))


async def _columns(reader: Reader, features: DynamoFeatures) -> Columns:
    columns = features.named_columns or await read_table_columns(reader, features)
    if columns is None:
        problem = f"table {features.table!r} has no item that lists its columns"
        raise Misconfigured([f"{problem}; fill the table with `mesh features load`, or set `columns` in the catalog"])
    return columns


async def _item(reader: Reader, features: DynamoFeatures, columns: Columns, player_id: str) -> Item | None:
    if not is_valid_player_id(player_id):
        return None
    key = layout_of(features, columns).key(player_id)
    while (page := await read_page(reader, features, [key])).unprocessed:  # noqa: ASYNC110 (no event)
        await asyncio.sleep(RETRY_PAUSE_S)
    return page.items.get(key)


def _player(item: Item, features: DynamoFeatures, columns: Columns, player_id: str) -> PlayerFeatures | None:
    """The player that `item` contains; None, and a note on stderr, if the item has expired."""
    now_s = time.time()
    ends_at_s = expiry_s(item, features, now_s)
    if ends_at_s is not None and ends_at_s <= now_s:
        print(f"the item of {player_id!r} is past its TTL ({features.ttl}) and counts as deleted", file=sys.stderr)
        return None
    try:
        return layout_of(features, columns).read(item, now_s)
    except WrongItem as wrong:
        raise Misconfigured([f"player {player_id!r}: {wrong}"]) from None
