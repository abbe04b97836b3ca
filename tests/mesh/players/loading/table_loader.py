"""Loads player files into a DynamoDB table with `mesh features load`, and reads them back with `mesh features get`."""

from __future__ import annotations

import json
import secrets
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.cli.main import main
from mesh.players.dynamodb.client import open_reader
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import RESERVED_KEYS
from mesh.players.dynamodb.table import read_page, read_table_columns
from mesh.players.settings import DynamoFeatures

VERSIONS = {"1": {"models": [{"name": "m", "uri": "m.txt"}]}}


class TableLoader:
    """A catalog whose players are in a new table with a unique name."""

    def __init__(self, folder: Path, endpoint: str, capsys: pytest.CaptureFixture[str], **more: Any) -> None:
        self._folder = folder
        self._capsys = capsys
        block = {
            "store": "dynamodb",
            "table": f"loaded-{secrets.token_hex(4)}",
            "region": "eu-west-1",
            "endpoint_url": endpoint,
            "timeout_ms": 10_000,  # the machine may be busy
            **more,
        }
        self.features = DynamoFeatures.model_validate(block)
        self.catalog = folder / "mesh.yaml"
        self.catalog.write_text(yaml.safe_dump({"game": "g", "features": block, "versions": VERSIONS}))

    def load(self, content: str, *flags: str) -> int:
        file = self._folder / "players.csv"
        file.write_text(content)
        return main(["features", "load", str(file), "--catalog", str(self.catalog), *flags])

    def get(self, player: str) -> Any:
        """Returns the features that the command prints for the player."""
        self._capsys.readouterr()
        assert main(["features", "get", player, "--catalog", str(self.catalog), "--json"]) == 0
        return json.loads(self._capsys.readouterr().out)["features"]

    def errors(self) -> str:
        """Returns the text on stderr."""
        return self._capsys.readouterr().err

    async def numbers(self, players: list[str]) -> dict[str, tuple[float, ...]]:
        """Returns the numbers of players, read in batches."""
        async with open_reader(self.features) as reader:
            columns = self.features.named_columns or await read_table_columns(reader, self.features)
            assert columns is not None
            layout = layout_of(self.features, columns)
            found: dict[str, tuple[float, ...]] = {}
            for start in range(0, len(players), 100):
                keys = {layout.key(player): player for player in players[start : start + 100]}
                for key, item in (await read_page(reader, self.features, list(keys))).items.items():
                    packed = layout.read(item, 0.0).numbers
                    found[keys[key]] = struct.unpack(f"<{len(packed) // 8}d", packed)
            return found

    async def reserved(self) -> set[str]:
        """Returns the keys of the existing items that are not players."""
        async with open_reader(self.features) as reader:
            return set((await read_page(reader, self.features, sorted(RESERVED_KEYS))).items)
