"""The layout `feast` reads the items that Feast writes."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulators.aws import BUILD, use_credentials
from emulators.processes import Server
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures
from supervisor.features.dynamodb import open_dynamo_store
from tests.ports.tables import LONG_S, features_of
from tests.supervisor.counting_metrics import CountingMetrics

FEAST = BUILD / "feast"
WRITER = Path(__file__).with_name("feast_writer.py")
WRITE_S = 100

COLUMNS = Columns(("spend", "skill", "coins", "level", "paying", "joined"), ("country", "title"))
LONG_TEXT = "long " * 60  # its length takes two bytes
# The input of Feast, which stores feature times in whole seconds.
PLAYERS: Mapping[str, Mapping[str, Any]] = {
    "p1": {
        "event_timestamp": "2026-03-01T12:00:00.250001+00:00",
        **{"spend": 0.1, "skill": 0.75, "coins": 2**53, "level": 7, "paying": True, "joined": "2024-02-29T23:59:59Z"},
        **{"country": "DE", "title": "Zauberin der Lüfte 🐉"},
    },
    "wéird 'id\"": {
        "event_timestamp": "2026-03-01T12:00:00+00:00",
        **{"spend": -math.pi, "skill": -3e38, "coins": -1, "level": -(2**31), "paying": False},
        **{"joined": "1969-12-31T00:00:00Z", "country": "PT", "title": LONG_TEXT},
    },
    "x" * 128: {
        "event_timestamp": "2026-03-01T14:00:00+02:00",
        **{"spend": 0.0, "skill": 0.0, "coins": 0, "level": 0, "paying": False, "joined": "1970-01-01T00:00:00Z"},
        **{"country": "FR", "title": ""},
    },
    "every number is missing": {
        "event_timestamp": "2026-03-02T00:00:00+00:00",
        **{"spend": None, "skill": None, "coins": None, "level": None, "paying": None, "joined": None},
        **{"country": "IT", "title": "t"},
    },
    "every text is missing": {
        "event_timestamp": "2026-03-02T00:00:00+00:00",
        **{"spend": 5e-324, "skill": 1.5, "coins": 1, "level": 1, "paying": True, "joined": "2026-01-01T00:00:00Z"},
        **{"country": None, "title": None},
    },
}


@pytest.fixture(scope="module")
def features(moto_server: Server, tmp_path_factory: pytest.TempPathFactory) -> DynamoFeatures:
    """The `features` block of a table that Feast filled with `PLAYERS`."""
    if not (FEAST / "stamp").is_file():
        pytest.skip("Feast is not installed (make test-servers)")
    use_credentials()
    written = subprocess.run(
        [FEAST / "bin" / "python", "-I", WRITER, moto_server.endpoint, tmp_path_factory.mktemp("feast")],
        input=json.dumps([{"player": player, **row} for player, row in PLAYERS.items()]),
        env={**os.environ, "FEAST_USAGE": "False"},
        capture_output=True,
        text=True,
        timeout=WRITE_S,
        check=False,
    )
    assert written.returncode == 0, written.stderr[-4000:]
    table = json.loads(written.stdout.splitlines()[-1])["table"]
    return features_of(moto_server.endpoint, "feast", COLUMNS).model_copy(update={"table": table})


@pytest.mark.parametrize("player", PLAYERS)
async def test_player_written_by_feast_is_read_bit_for_bit(features: DynamoFeatures, player: str) -> None:
    async with open_dynamo_store(features, CountingMetrics()) as store:
        batch = await store.read([player], LONG_S)
    assert (batch.columns, batch.unread, list(batch.players)) == (COLUMNS, {}, [player])
    assert _read_values(batch.players[player]) == _expected_values(PLAYERS[player])


async def test_player_not_written_by_feast_is_left_out(features: DynamoFeatures) -> None:
    async with open_dynamo_store(features, CountingMetrics()) as store:
        batch = await store.read([*PLAYERS, "nobody"], LONG_S)
    assert (set(batch.players), batch.unread) == (set(PLAYERS), {})


def _read_values(read: PlayerFeatures) -> dict[str, Any]:
    numbers = struct.unpack(f"<{len(COLUMNS.numbers)}d", read.numbers)
    return {
        "written_at_s": read.written_at_s,
        **{name: str(value) for name, value in zip(COLUMNS.numbers, numbers, strict=True)},
        **dict(zip(COLUMNS.texts, read.texts, strict=True)),
    }


def _expected_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The expected result of `_read_values`; numbers are texts, so that two missing numbers are equal."""
    numbers = {
        **row,
        "skill": None if row["skill"] is None else struct.unpack("<f", struct.pack("<f", row["skill"]))[0],
        "joined": None if row["joined"] is None else _seconds(row["joined"]),
    }
    return {
        "written_at_s": _seconds(row["event_timestamp"]),
        **{name: str(math.nan if (value := numbers[name]) is None else float(value)) for name in COLUMNS.numbers},
        **{name: row[name] for name in COLUMNS.texts},
    }


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).astimezone(UTC).timestamp()
