"""`mesh decisions replay` on logs of real models."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.cli.main import main
from tests.decisions.scored_log import ScoredVersion, write


@pytest.fixture(name="rows")
def fixture_rows(tmp_path: Path) -> list[dict[str, Any]]:
    return ScoredVersion(tmp_path).decide(np.random.default_rng(3), 40)


def test_equal_log_passes(tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log", [ScoredVersion(tmp_path)], rows)
    assert main(["decisions", "replay", log]) == 0
    assert "40 decisions replayed" in (output := capsys.readouterr().out)
    assert "all equal to the log, to the bit" in output


def test_first_difference_is_shown_and_fails(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = rows[5]
    logged, replayed = math.nextafter(wrong["scores"][0], 2), wrong["scores"][0]
    wrong["scores"][0] = logged
    log = write(tmp_path / "log", [ScoredVersion(tmp_path)], rows)
    assert main(["decisions", "replay", log]) == 1
    output = capsys.readouterr().out
    assert f"decision {wrong['decision_id']}" in output
    assert f"score for {wrong['candidates'][0]}" in output
    assert f"logged   {logged!r}" in output
    assert f"replayed {replayed!r}" in output
    assert main(["decisions", "replay", log, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["different"], found["first"]["decision_id"]) == (1, wrong["decision_id"])
    assert (found["first"]["logged"], found["first"]["replayed"]) == (logged, replayed)


def test_json_has_the_reasons_of_decisions_that_were_left_out(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    rows[0]["rows"] = None
    log = write(tmp_path / "log", [ScoredVersion(tmp_path)], rows)
    assert main(["decisions", "replay", log, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["replayed"], found["skipped"]) == (39, {"its features are not in the log": 1})


def test_replay_that_compares_nothing_fails(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    for row in rows:
        row["rows"] = None
    log = write(tmp_path / "log", [ScoredVersion(tmp_path)], rows)
    assert main(["decisions", "replay", log]) == 1
    output = capsys.readouterr().out
    assert "nothing was compared with the log" in output
    assert "40 decisions left out" in output


def test_range_limit_and_sample_choose_decisions(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log", [ScoredVersion(tmp_path)], rows)

    def replayed(*options: str) -> int:
        assert main(["decisions", "replay", log, "--json", *options]) == 0
        return int(json.loads(capsys.readouterr().out)["replayed"])

    assert replayed("--from", "2026-11-02T12:00:10", "--to", "2026-11-02T12:00:15") == 5
    assert replayed("--limit", "7") == 7
    assert 0 < replayed("--sample", "40") < 40


def test_models_are_found_by_their_digest(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    version = ScoredVersion(tmp_path)
    log, catalog = write(tmp_path / "log", [version], rows), version.catalog()
    (tmp_path / "kept").mkdir()
    for name, path in version.models.items():
        path.rename(tmp_path / "kept" / f"{name}-of-november")
    assert main(["decisions", "replay", log]) == 2
    faults = capsys.readouterr().err
    assert len(faults.splitlines()) == len(version.models)
    assert "plain: no file has the SHA-256" in faults
    assert "--models DIR" in faults
    assert main(["decisions", "replay", log, "--models", str(tmp_path / "kept")]) == 0
    catalog.write_text(catalog.read_text().replace(f"{version.name}/", "kept/").replace(".txt", "-of-november"))
    assert main(["decisions", "replay", log, "--catalog", str(catalog)]) == 0


def test_changed_model_is_not_used(
    tmp_path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    version = ScoredVersion(tmp_path)
    log = write(tmp_path / "log", [version], rows)
    changed = version.models["texts"]
    changed.write_text(changed.read_text().replace("Tree=0", "Tree=0 "))
    assert main(["decisions", "replay", log]) == 2
    assert f"{changed} has another SHA-256 now" in capsys.readouterr().err
