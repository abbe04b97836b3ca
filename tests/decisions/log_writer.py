"""Writes the files of a decision log for tests, through the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mesh.decisions.schema import DECISION_SCHEMA, DECISIONS, OUTCOME_SCHEMA, OUTCOMES

SCHEMAS = {DECISIONS: DECISION_SCHEMA, OUTCOMES: OUTCOME_SCHEMA}


def write_rows(root: Path, table: str, game: str, rows: Sequence[Mapping[str, Any]], name: str = "part-0") -> None:
    """Writes rows of `decisions` or `outcomes` into the files NAME.parquet of their hours; missing columns are null."""
    schema = SCHEMAS[table]
    full = [{field.name: row.get(field.name) for field in schema} for row in rows]
    write_table(root, table, game, pa.Table.from_pylist(full, schema=schema), name)


def write_table(root: Path, table: str, game: str, rows: pa.Table, name: str = "part-0") -> None:
    """Writes `rows` into the files NAME.parquet of their hours: decisions by `time`, outcomes by `received`."""
    clock = rows["time" if table == DECISIONS else "received"]
    hours = pc.strftime(clock, "date=%Y-%m-%d/hour=%H")
    for hour in pc.unique(hours).to_pylist():
        folder = root / table / f"game={game}" / hour
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows.filter(pc.equal(hours, hour)), folder / f"{name}.parquet", compression="zstd")


def write_side_file(root: Path, kind: str, game: str, name: str, content: Mapping[str, Any]) -> None:
    """Writes `ensembles`, `layouts` or `offers`."""
    file = root / kind / f"game={game}" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
