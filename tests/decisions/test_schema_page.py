"""docs/decisions-log.md describes the columns of the log as they are in the schema."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from mesh.decisions import schema

PAGE = Path(__file__).parents[2] / "docs" / "decisions-log.md"
TABLES = {schema.DECISIONS: schema.DECISION_SCHEMA, schema.OUTCOMES: schema.OUTCOME_SCHEMA}


def described(table: pa.Schema) -> str:
    """The columns of `table` as a table in Markdown."""
    lines = [f"| `{field.name}` | {kind(field.type)} | {field.metadata[b'doc'].decode()} |" for field in table]
    return "\n".join(("| column | type | meaning |", "|---|---|---|", *lines))


def kind(of: pa.DataType) -> str:
    if pa.types.is_list(of):
        return f"list of {kind(of.value_type)}"
    if pa.types.is_struct(of):
        return f"({', '.join(f'{field.name}: {kind(field.type)}' for field in of)})"
    return str(of).replace("timestamp[us, tz=UTC]", "time (µs, UTC)")


@pytest.mark.parametrize("name", TABLES)
def test_page_describes_every_column(name: str) -> None:
    found = re.search(rf"<!-- columns of {name} -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert found[1] == described(TABLES[name]), "replace the table of the page by this one"
