"""The queries and programs of docs/decisions-log.md work on a log."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from mesh.decisions.log import open_log
from supervisor.decisions.version_log import hashed
from tests.decisions import simulated_log
from tests.decisions.simulated_log import SimulatedGame, SimulatedLog

PAGE = (Path(__file__).parents[2] / "docs" / "decisions-log.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedLog:
    """A log in the folder `log` of the current folder; a fifth of the outcomes name a request, not a decision."""
    monkeypatch.chdir(tmp_path)
    return simulated_log.write(Path("log"), SimulatedGame(players=60, by_request=0.2))


def result(query: str) -> list[tuple[object, ...]]:
    """The rows of a query in DuckDB."""
    with duckdb.connect() as connection:
        return connection.sql(query).fetchall()


@pytest.mark.parametrize("query", [query for query in QUERIES if not query.startswith("COPY")])
def test_query_of_the_page_finds_rows(log: SimulatedLog, query: str) -> None:
    assert log.decisions.num_rows
    assert result(query)


def test_figures_of_the_queries_are_those_of_the_log(log: SimulatedLog) -> None:
    by_source, by_offer, candidates, by_model, levels = QUERIES[:5]
    assert sum(row[2] for row in result(by_source)) == log.decisions.num_rows  # type: ignore[misc]
    assert sum(row[1] for row in result(by_offer)) == log.decisions.num_rows  # type: ignore[misc]
    assert len(result(candidates)) == len(log.game.prices)
    votes = {row[0]: (row[2], row[3]) for row in result(by_model)}
    partial = sum(row[2] for row in result(by_source) if row[1] == "PARTIAL")  # type: ignore[misc]
    assert set(votes) == set(simulated_log.MODELS)
    assert votes["new"][1] == partial * len(log.game.prices) > 0  # the model without a vote in partial answers
    assert votes["base"][1] == 0
    assert sum(row[1] for row in result(levels)) <= log.decisions.num_rows  # type: ignore[misc]


def test_table_for_another_tool_has_every_decision(log: SimulatedLog) -> None:
    (copy,) = (query for query in QUERIES if query.startswith("COPY"))
    with duckdb.connect() as connection:
        connection.execute(copy)
    assert len(Path("decisions.csv").read_text().splitlines()) == 1 + log.decisions.num_rows


def test_pandas_reads_the_log(log: SimulatedLog) -> None:
    (program,) = (one for one in PROGRAMS if one.startswith("import pandas"))
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert all(version in run.stdout for version in log.game.shares)


def test_deleted_player_is_in_no_row_of_the_log(log: SimulatedLog) -> None:
    (program,) = (one for one in PROGRAMS if one.startswith('"""Deletes a player'))
    Path("forget_player.py").write_text(program)
    with open_log("log") as before:
        theirs = before.read(before.decisions("dragonfall").filter("player = 'p7'"))["decision_id"].to_pylist()
        outcomes = before.read(before.outcomes_of_decisions("dragonfall"))["decision_id"].to_pylist()
    run = subprocess.run(
        [sys.executable, "forget_player.py", "p7", "log"], capture_output=True, text=True, timeout=120, check=True
    )
    deleted = sum(one in set(theirs) for one in outcomes)
    assert run.stdout == f"deleted {len(theirs)} decisions and {deleted} outcomes\n"
    with open_log("log") as after:  # which also checks the schema of every file
        players = after.read(after.decisions("dragonfall"))["player"].to_pylist()
        assert len(players) == log.decisions.num_rows - len(theirs)
        assert "p7" not in players
        left = after.read(after.outcomes("dragonfall"))
        assert len(left) == len(outcomes) - deleted
        assert not set(theirs) & set(left["decision_id"].to_pylist())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="install openssl to run this test")
def test_hash_of_a_player_is_that_of_the_page() -> None:
    (command,) = re.findall(r"^printf .*$", PAGE, re.MULTILINE)
    run = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True, env={"MESH_PLAYER_KEY": "secret"}
    )
    assert run.stdout.strip() == hashed(b"secret", "p1")
