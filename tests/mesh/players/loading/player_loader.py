"""Loads player files with `mesh features load`, and reads the store."""

import json
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from mesh.cli.main import main
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import open_store, read_columns, read_players

CATALOG = """game: g
features: {path: data/players.sqlite}
versions:
  "1":
    models:
      - {name: m, uri: m.txt}
"""
ONE_PLAYER = "player_id,age\nold,1\n"


class Loader:
    """Loads files into the store of a catalog, and reads the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "data" / "players.sqlite"
        (folder / "mesh.yaml").write_text(CATALOG)

    def load(self, file: Path, *flags: str) -> int:
        return main(["features", "load", str(file), "--catalog", str(self.folder / "mesh.yaml"), *flags])

    def load_csv(self, content: str | bytes, *flags: str) -> int:
        file = self.folder / "players.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.load(file, *flags)

    def load_parquet(self, columns: dict[str, Any], *flags: str) -> int:
        file = self.folder / "players.parquet"
        pyarrow.parquet.write_table(pa.table(columns), file)
        return self.load(file, *flags)

    def get(self, player: str, *flags: str) -> int:
        return main(["features", "get", player, "--catalog", str(self.folder / "mesh.yaml"), *flags])

    def columns(self) -> Columns:
        with closing(open_store(self.store)) as connection:
            return read_columns(connection)

    def players(self) -> dict[str, PlayerFeatures]:
        with closing(open_store(self.store)) as connection:
            ids = [player for (player,) in connection.execute("SELECT player_id FROM players")]
            return read_players(connection, json.dumps(ids))

    def numbers(self, player: str) -> str:
        packed = self.players()[player].numbers
        return " ".join(map(repr, struct.unpack(f"<{len(packed) // 8}d", packed)))
