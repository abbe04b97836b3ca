"""`mesh features get`: prints a player's features, read from the store in the supervisor's way."""

from __future__ import annotations

import argparse
import json
import math
import struct
import sys
import time
from collections.abc import Mapping

from rich.text import Text

from mesh.catalog import catalog as catalogs
from mesh.cli.console import print_line, stdout, table
from mesh.cli.features.lookup import look_up
from mesh.cli.main import DONE
from mesh.errors import NotFound
from mesh.players.features import Columns, PlayerFeatures

PATIENCE_S = 5.0

Value = float | str | None


def get(arguments: argparse.Namespace) -> int:
    """Prints the player; raises NotFound if the store has no such player, Misconfigured if it cannot be read."""
    features = catalogs.load(arguments.catalog).features
    found = look_up(features, arguments.player, PATIENCE_S)
    if found.player is None:
        raise NotFound(f"the store does not know player {arguments.player!r}; the models would see missing values")
    values = _values(found.columns, found.player)
    ahead_s = found.player.written_at_s - time.time()
    if ahead_s > 0:
        print(f"the features are {ahead_s:,.0f} s newer than this clock; correct the writer's clock", file=sys.stderr)
    age_s = max(0.0, -ahead_s)
    if arguments.json:
        print(json.dumps({"player": arguments.player, "age_s": round(age_s, 3), "features": values}))
    else:
        _print(arguments.player, age_s, values)
    return DONE


def _values(columns: Columns, player: PlayerFeatures) -> dict[str, Value]:
    """The values by feature; None for a missing value."""
    numbers = struct.unpack(f"<{len(columns.numbers)}d", player.numbers)
    values: dict[str, Value] = {
        name: None if math.isnan(number) else number for name, number in zip(columns.numbers, numbers, strict=True)
    }
    return {**values, **dict(zip(columns.texts, player.texts, strict=True))}


def _print(player_id: str, age_s: float, values: Mapping[str, Value]) -> None:
    console = stdout()
    print_line(console, f"player {player_id}, written {age_s:,.0f} s ago")
    rows = table(["feature"], ["value"])
    for name, value in values.items():
        rows.add_row(Text(name), Text("missing" if value is None else str(value)))
    console.print(rows)
