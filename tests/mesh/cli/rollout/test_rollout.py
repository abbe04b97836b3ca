"""`mesh rollout`: the steps of a plan, as a table and as JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mesh.catalog import catalog
from mesh.cli.main import main
from mesh.cli.rollout import command

START_S = 1_796_119_200.0  # 2026-12-01T10:00:00Z
CATALOG = """\
game: g
features: {path: players.sqlite}
assignment: {holdout: 2}
versions:
  "2026-10":
    traffic: 100
    models: [{name: m, uri: m.txt}]
  "2026-11":
    rollout: {start: 2026-12-01T11:00:00+01:00, steps: [1, 5, 25, 100], hold_s: 900}
    models: [{name: m, uri: m.txt}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mesh.yaml"
    path.write_text(CATALOG)
    return path


def lines_at(
    file: Path, now_s: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setattr(time, "time", lambda: now_s)
    assert main(["rollout", str(file)]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_steps_are_shown_with_their_state(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_at(file, START_S + 1000, monkeypatch, capsys) == [
        f"{file}: game g, 2026-12-01T10:16:40Z; the holdout, 2 % of all players, gets the fallback",
        "version 2026-11 has 5 % of the players; 25 % in 13 min 20 s",
        "begins state 2026-10 % 2026-11 %",
        "- done 100 0",
        "2026-12-01T10:00:00Z done 99 1",
        "2026-12-01T10:15:00Z now 95 5",
        "2026-12-01T10:30:00Z next 75 25",
        "2026-12-01T10:45:00Z later 0 100",
    ]


@pytest.mark.parametrize(
    ("after_s", "summary"),
    [
        (-90_000, "version 2026-11 has 0 % of the players; 1 % in 1 d 1 h"),
        (-0.5, "version 2026-11 has 0 % of the players; 1 % in 1 s"),
        (2700, "version 2026-11 has 100 % of the players; the rollout is complete"),
    ],
)
def test_summary_names_the_next_step(
    file: Path, after_s: float, summary: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_at(file, START_S + after_s, monkeypatch, capsys)[1] == summary


def test_guard_is_named_because_its_moves_are_not_in_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = 'guard: {to: "2026-10", whole: 99}'
    file.write_text(CATALOG.replace("    rollout:", f"    {guard}\n    rollout:"))
    last = lines_at(file, START_S, monkeypatch, capsys)[-1]
    assert last == "the guard of 2026-11 can give its players to 2026-10: `mesh status` shows the shares in force"


def test_json_has_the_shares_of_each_step(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollout", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["game"], found["version"], found["holdout"]) == ("g", "2026-11", 2)
    assert [(step["begins"], step["shares"]["2026-11"]) for step in found["steps"]] == [
        (None, 0),
        ("2026-12-01T10:00:00Z", 1),
        ("2026-12-01T10:15:00Z", 5),
        ("2026-12-01T10:30:00Z", 25),
        ("2026-12-01T10:45:00Z", 100),
    ]


def test_time_to_the_next_step_is_in_seconds(file: Path) -> None:
    assert command.status(catalog.load(file), START_S + 1000).next_in_s == 800
    assert command.status(catalog.load(file), START_S + 2700).next_in_s is None


def test_catalog_without_a_rollout_shows_the_shares(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        CATALOG.replace(
            "rollout: {start: 2026-12-01T11:00:00+01:00, steps: [1, 5, 25, 100], hold_s: 900}", "traffic: 0"
        )
    )
    assert lines_at(file, START_S, monkeypatch, capsys)[1:] == [
        "no version has a rollout",
        "begins state 2026-10 % 2026-11 %",
        "- now 100 0",
    ]


def test_catalog_with_faults_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(CATALOG.replace("traffic: 100", "traffic: 90"))
    assert main(["rollout", str(file)]) == 2
    assert "the traffic of the versions without a rollout adds up to 90" in capsys.readouterr().err
