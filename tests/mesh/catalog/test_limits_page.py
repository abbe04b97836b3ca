"""docs/threat-model.md has the limits of the code."""

from __future__ import annotations

from pathlib import Path

from mesh import golden
from mesh.catalog import catalog, members, offers_table, yaml_limits
from mesh.drift import reference
from mesh.s3 import address

PAGE = (Path(__file__).parents[3] / "docs" / "threat-model.md").read_text(encoding="utf-8")


def test_page_has_the_limits_of_catalogs() -> None:
    values = f"{yaml_limits.MAX_BYTES // 2**20} MiB, {yaml_limits.MAX_NODES:,} values"
    counts = (
        f"{yaml_limits.MAX_DEPTH} levels, {catalog.MAX_VERSIONS} versions, {members.MAX_MODELS} models in a version"
    )
    assert f"| catalog | {values} with those that aliases repeat, {counts} |" in PAGE
    size = f"{offers_table.MAX_CSV_BYTES // 2**20} MiB"
    table = f"{size}, {offers_table.MAX_OFFERS:,} offers, {offers_table.MAX_COLUMNS:,} columns"
    assert f"| table of offers | {table} |" in PAGE


def test_page_has_the_limits_of_other_files() -> None:
    assert golden.MAX_BYTES == reference.MAX_BYTES
    assert f"| reference, golden rows | {golden.MAX_BYTES // 2**20} MiB |" in PAGE
    assert f"at most {address.MAX_KEY_BYTES} bytes" in PAGE
