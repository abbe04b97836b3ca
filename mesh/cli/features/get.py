"""`mesh features get`: a player as the supervisor sees it, read from the store as the supervisor reads it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import struct
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from mesh.catalog import catalog as catalogs
from mesh.cli.console import print_line, stdout, table
from mesh.errors import Misconfigured, NotFound
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures, Features, SqliteFeatures
from mesh.players.sqlite import open_store, read_columns, read_players

PATIENCE_S, AGAIN_S = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """What the store says; `player` is None where it does not know one."""

    columns: Columns
    player: PlayerFeatures | None


def get(arguments: argparse.Namespace) -> int:
    """Prints the player; raises NotFound when the store knows none, and Misconfigured when it cannot tell."""
    features = catalogs.load(arguments.catalog).features
    found = _find(features, arguments.player)
    if found.player is None:
        raise NotFound(f"the store does not know player {arguments.player!r}; the models would see missing values")
    values = _values(found.columns, found.player)
    age_s = time.time() - found.player.written_at_s
    if arguments.json:
        print(json.dumps({"player": arguments.player, "age_s": round(age_s, 3), "features": values}))
    else:
        _show(arguments.player, age_s, values)
    return 0


def _find(features: Features, player_id: str) -> Found:
    if isinstance(features, SqliteFeatures):
        with contextlib.closing(open_store(Path(features.path))) as store:
            return Found(read_columns(store), read_players(store, json.dumps([player_id])).get(player_id))
    return asyncio.run(_find_in_table(features, player_id))


async def _find_in_table(features: DynamoFeatures, player_id: str) -> Found:
    from mesh.players.dynamodb.attributes import WrongItem
    from mesh.players.dynamodb.client import open_reader
    from mesh.players.dynamodb.faults import REQUEST_ERRORS, told_of
    from mesh.players.dynamodb.layouts import layout_of
    from mesh.players.dynamodb.table import can_be_known, end_of, read_page, read_table_columns

    try:
        async with asyncio.timeout(PATIENCE_S), open_reader(features) as reader:
            columns = features.named_columns or await read_table_columns(reader, features)
            if columns is None:
                problem = f"table {features.table!r} does not tell its columns"
                raise Misconfigured([f"{problem}; fill it by `mesh features load`, or name `columns` in the catalog"])
            if not can_be_known(player_id):
                return Found(columns, None)
            layout = layout_of(features, columns)
            key = layout.key(player_id)
            while (page := await read_page(reader, features, [key])).unprocessed:  # noqa: ASYNC110 (no event)
                await asyncio.sleep(AGAIN_S)
            item = page.items.get(key)
    except REQUEST_ERRORS as error:
        raise Misconfigured([told_of(error, features)]) from error
    now_s = time.time()
    if item is not None and (ends_at_s := end_of(item, features)) is not None and ends_at_s <= now_s:
        print(f"the item of {player_id!r} is past its TTL ({features.ttl}): as good as deleted", file=sys.stderr)
        item = None
    try:
        return Found(columns, None if item is None else layout.read(item, now_s))
    except WrongItem as wrong:
        raise Misconfigured([f"player {player_id!r}: {wrong}"]) from None


def _values(columns: Columns, player: PlayerFeatures) -> dict[str, float | str | None]:
    """By feature; None where it is missing."""
    numbers = struct.unpack(f"<{len(columns.numbers)}d", player.numbers)
    told = {name: None if math.isnan(one) else one for name, one in zip(columns.numbers, numbers, strict=True)}
    return {**told, **dict(zip(columns.texts, player.texts, strict=True))}


def _show(player_id: str, age_s: float, values: Mapping[str, float | str | None]) -> None:
    console = stdout()
    print_line(console, f"player {player_id}, written {age_s:,.0f} s ago")
    rows = table(["feature"], ["value"])
    for name, value in values.items():
        rows.add_row(Text(name), Text("missing" if value is None else str(value)))
    console.print(rows)
