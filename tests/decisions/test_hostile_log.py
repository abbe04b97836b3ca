"""A log that somebody else has written leads to no file outside of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.decisions.log import open_log
from mesh.decisions.schema import DECISIONS
from mesh.decisions.storage import open_storage
from mesh.errors import Misconfigured
from tests.decisions.log_writer import write_rows

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A log of one decision, beside a JSON file that is none of its files."""
    (tmp_path / "secret.json").write_text(json.dumps({"secret": 1}))
    write_rows(tmp_path / "log", DECISIONS, "arena", [{"decision_id": "1", "time": NOON}])
    (tmp_path / "log/ensembles/game=arena").mkdir(parents=True)
    return tmp_path / "log"


@pytest.mark.parametrize("name", ["../../../secret", "/etc/secret", "a/b", "", "..", "a\0b", "x" * 200])
def test_name_of_a_side_file_that_is_a_path_is_refused(root: Path, name: str) -> None:
    with open_log(str(root)) as log:
        for read in (log.ensemble, log.layout, log.offers):
            with pytest.raises(Misconfigured, match="is not the name of a file in"):
                read("arena", name)


@pytest.mark.parametrize("where", ["s3://bucket/../other", "s3://bucket/a\nb", "s3://bu cket/a"])
def test_place_that_may_be_another_one_is_refused(where: str) -> None:
    with pytest.raises(Misconfigured, match="; "):
        open_storage(where)
