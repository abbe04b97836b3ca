"""Fills a DynamoDB table with Feast; runs in the environment of Feast, without the mesh.

    build/feast/bin/python -I tests/ports/feast_writer.py ENDPOINT FOLDER < players.json

FOLDER holds the registry. The players are a list of {"player": id, "event_timestamp": ISO 8601, FIELD: value or null}.
Prints {"table": its name}.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp

VIEW, JOIN_KEY, TIMESTAMP = "players", "player", "event_timestamp"
# The type of each field in Feast and in pandas; every pandas type allows missing values.
FIELDS: Mapping[str, tuple[Any, str]] = {
    "spend": (Float64, "Float64"),
    "skill": (Float32, "Float32"),
    "coins": (Int64, "Int64"),
    "level": (Int32, "Int32"),
    "paying": (Bool, "boolean"),
    "joined": (UnixTimestamp, "datetime64[ns, UTC]"),
    "country": (String, "string"),
    "title": (String, "string"),
}


def main(endpoint: str, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    config = _config(endpoint, folder)
    store = FeatureStore(config=config)
    store.apply(_definitions(folder))
    store.write_to_online_store(VIEW, _frame(rows))
    print(json.dumps({"table": f"{config.project}.{VIEW}"}))  # Feast's template for table names


def _config(endpoint: str, folder: Path) -> RepoConfig:
    return RepoConfig(
        project=f"mesh_{secrets.token_hex(4)}",
        provider="aws",
        registry=str(folder / "registry.db"),
        offline_store={"type": "file"},
        online_store={"type": "dynamodb", "region": "eu-west-1", "endpoint_url": endpoint},
        entity_key_serialization_version=3,
    )


def _definitions(folder: Path) -> list[Any]:
    player = Entity(name=JOIN_KEY, join_keys=[JOIN_KEY], value_type=ValueType.STRING)
    features = [Field(name=name, dtype=dtype) for name, (dtype, _) in FIELDS.items()]
    view = FeatureView(
        name=VIEW,
        entities=[player],
        schema=[Field(name=JOIN_KEY, dtype=String), *features],
        source=FileSource(path=str(folder / "players.parquet"), timestamp_field=TIMESTAMP),
    )
    return [player, view]


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).astype({name: dtype for name, (_, dtype) in FIELDS.items()})
    return frame.assign(**{TIMESTAMP: pd.to_datetime(frame[TIMESTAMP], utc=True, format="ISO8601")})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.load(sys.stdin))
