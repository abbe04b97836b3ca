"""`mesh decisions report`: the options, the tables, the JSON and the page."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.cli.main import main
from mesh.decisions.schema import DECISIONS
from tests.decisions import simulated_log
from tests.decisions.log_writer import write_rows
from tests.decisions.simulated_log import SimulatedGame

CATALOG = """\
game: dragonfall
features: {path: players.sqlite}
assignment: {holdout: 10}
versions:
  "2026-10": {traffic: 50, models: [{name: m, uri: m.txt}]}
  "2026-11": {traffic: 50, models: [{name: m, uri: m.txt}]}
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("log")
    simulated_log.write(folder, SimulatedGame(players=400, days=3, pinned=0.02))
    return str(folder)


def report(*arguments: str) -> int:
    return main(["decisions", "report", *arguments])


def test_tables_name_the_groups_and_the_checks(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = tmp_path / "mesh.yaml"
    catalog.write_text(CATALOG)
    assert report(log, "--catalog", str(catalog)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"dragonfall, 2026-11-02 to 2026-11-04, {log}"
    assert " ".join(lines[2].split()) == "version decisions players whole % partial % fallback % p50 ms p95 ms"
    assert [line.split()[0] for line in lines[3:6]] == ["2026-10", "2026-11", "holdout"]
    assert any(line.startswith("2026-11  ") and "revenue EUR" in line and line.endswith("yes") for line in lines)
    assert any(line.startswith("division of the players: as planned (p = ") for line in lines)
    assert any(line.startswith("left out: ") and line.endswith(" pinned") for line in lines)


def test_catalog_names_the_log_and_the_planned_shares(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = tmp_path / "mesh.yaml"
    catalog.write_text(CATALOG + f"decisions: {{to: {log}}}\n")
    found = []
    for arguments in ([str(catalog)], ["--catalog", str(catalog)], [log, "--catalog", str(catalog)]):
        assert report(*arguments, "--json") == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["log"] == log
    assert found[0]["division"]["state"] == "as planned"
    assert found[0] == found[1] == found[2]


def test_missing_outcomes_are_explained(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(Path(log, "decisions"), tmp_path / "decisions")
    assert report(str(tmp_path)) == 0
    assert "\nno decision of the range has an outcome: report outcomes with ReportOutcome" in capsys.readouterr().out
    assert report(log) == 0
    assert "no decision of the range has an outcome" not in capsys.readouterr().out


def test_json_has_the_same_numbers_in_a_range(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    days = []
    for end in ("2026-11-05", "2026-11-04T00:00:00Z", "2026-11-03T12:00:00+01:00"):
        assert report(log, "--from", "2026-11-03", "--to", end, "--json", "--baseline", "2026-10") == 0
        days.append(json.loads(capsys.readouterr().out))
    assert [(found["first_day"], found["last_day"]) for found in days] == [
        ("2026-11-03", "2026-11-04"), ("2026-11-03", "2026-11-03"), ("2026-11-03", "2026-11-03"),
    ]  # fmt: skip
    decisions = [sum(group["decisions"] for group in found["groups"]) for found in days]
    assert decisions[0] > decisions[1] > decisions[2] > 0
    assert {one["baseline"] for one in days[0]["differences"]} == {"2026-10"}
    assert set(days[0]["differences"][0]["fixed"]) == {"value", "low", "high"}


def test_page_is_written(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.html"
    assert report(log, "--html", str(file)) == 0
    assert capsys.readouterr().out.startswith("dragonfall")
    assert "<h1>Decisions of dragonfall</h1>" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--from", "yesterday"], "--from: 'yesterday' is not a time; give a date, or ISO 8601"),
        (
            ["--from", "2026-11-03", "--to", "2026-11-03"],
            "--to: 2026-11-03 is not after --from 2026-11-03; give a later",
        ),
        (["--from", "2027-01-01"], "has no decisions of dragonfall from 2027-01-01 00:00 UTC; it has some from 2026-"),
        (["--game", "other"], "has no game 'other'; known: dragonfall"),
        (["--html", "/nowhere/report.html"], "--html /nowhere/report.html: cannot be written; choose another file"),
    ],
)
def test_wrong_input_is_explained(
    log: str, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert report(log, *arguments) == 2
    assert problem in capsys.readouterr().err


def test_log_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report() == 2
    assert capsys.readouterr().err == "LOG: is missing; give the folder or the address of the log, or --catalog\n"
    catalog = tmp_path / "mesh.yaml"
    catalog.write_text(CATALOG)
    assert report(str(catalog)) == 2
    fix = "add `decisions: {to: FOLDER}`, or name the log itself"
    assert capsys.readouterr().err == f"{catalog}: decisions: is missing; {fix}\n"


def test_names_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Markup of rich is legal in the id of an offer."""
    for at, offer in enumerate(("[/x]", "[red]a", ":smile:")):
        row = {"decision_id": f"d{at}", "time": datetime(2026, 11, 2, tzinfo=UTC), "player": "p", "version": "v"}
        row |= {"method": "GetOffer", "source": "ENSEMBLE", "total_ms": 1.0, "offers": [offer]}
        write_rows(tmp_path, DECISIONS, "g", [row], f"file{at}")
    assert report(str(tmp_path), "--by", "offer") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[3:6]} == {"[/x]", "[red]a", ":smile:"}
