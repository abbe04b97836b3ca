"""`mesh decisions replay --version`: what another version would have shown, and what it would have earned."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.catalog.version import Combine
from mesh.cli.main import main
from mesh.decisions.schema import OUTCOMES
from mesh.exploration import Explore
from tests.decisions.log_writer import write_rows
from tests.decisions.scored_log import GAME, ScoredVersion, write

CHANCES = {"starter": 0.3, "gold": 0.1, "gems": 0.2, "gift": 0.5, "coins": 0.15}
EXPLORE = Explore(kind="epsilon", share=80, top=5)
Rows = list[dict[str, Any]]


def two_versions(folder: Path, explore: Explore | None) -> tuple[ScoredVersion, ScoredVersion]:
    logged = ScoredVersion(folder / "a", rank_by="score", explore=explore)
    return logged, ScoredVersion(folder / "b", "2026-11", Combine(kind="median"), "score", seed=9)


def buy(rows: Rows, random: np.random.Generator, offer: str | None = None) -> Rows:
    """The outcomes: each first offer is bought with its own chance."""
    return [
        {
            "outcome_id": f"o{at}", "decision_id": row["decision_id"], "time": row["time"] + timedelta(minutes=1),
            "received": row["time"] + timedelta(minutes=1), "kind": "purchased", "offer": offer, "value": 2.5,
            "currency": "EUR",
        }
        for at, row in enumerate(rows)
        if random.random() < CHANCES[row["offers"][0]]
    ]  # fmt: skip


def verdict(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert main(["decisions", "replay", *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_estimates_cover_the_true_value_of_the_other_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(8)
    logged, other = two_versions(tmp_path, EXPLORE)
    rows = logged.decide(random, 1500)
    log = write(tmp_path / "log", [logged], rows)
    write_rows(tmp_path / "log", OUTCOMES, GAME, buy(rows, random))
    found = verdict(capsys, log, "--version", "2026-11", "--catalog", str(other.catalog()))
    assert (found["decisions"], found["overlap"]) == (1500, 1.0)
    assert 0.1 < found["changed"] < 0.9
    truth = sum(CHANCES[one["version"]] * one["decisions"] for one in found["flows"]) / 1500
    for kind in ("ips", "snips", "doubly_robust"):
        assert found["estimates"]["conversion"][kind]["low"] < truth < found["estimates"]["conversion"][kind]["high"]
    assert found["estimates"]["revenue EUR"]["ips"]["value"] == pytest.approx(
        2.5 * found["estimates"]["conversion"]["ips"]["value"]
    )
    assert 100 < found["effective"] < 1500
    assert not found["warnings"]


def test_scores_are_those_that_the_version_gives_to_the_same_requests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = ScoredVersion(tmp_path / "a")
    other = ScoredVersion(tmp_path / "b", "2026-11", Combine(kind="median"), "score", seed=9)
    rows, expected = (one.decide(np.random.default_rng(4), 60) for one in (logged, other))
    rows, expected = ([row for row in of if not row["missing_models"]] for of in (rows, expected))
    assert [row["candidates"] for row in rows] == [row["candidates"] for row in expected]
    log = write(tmp_path / "log", [logged], rows)
    found = verdict(capsys, log, "--version", "2026-11", "--catalog", str(other.catalog()))
    changes = np.concatenate([np.subtract(b["scores"], a["scores"]) for a, b in zip(rows, expected, strict=True)])
    assert found["score_change"]["mean"] == pytest.approx(float(changes.mean()), abs=1e-15)
    assert found["score_change"]["p95"] == pytest.approx(float(np.quantile(changes, 0.95)), abs=1e-15)
    best = [(a["offers"][0], b["offers"][0]) for a, b in zip(rows, expected, strict=True)]
    assert {(one["logged"], one["version"]): one["decisions"] for one in found["flows"]} == {
        pair: best.count(pair) for pair in best
    }


def test_version_of_the_log_needs_no_catalog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(6)
    versions = [ScoredVersion(tmp_path / "a", explore=EXPLORE), ScoredVersion(tmp_path / "b", "2026-11", seed=9)]
    rows = [row for version in versions for row in version.decide(random, 40)]
    log = write(tmp_path / "log", versions, rows)
    found = verdict(capsys, log, "--version", "2026-11")
    same = sum(one["decisions"] for one in found["flows"] if one["logged"] == one["version"])
    assert same >= 40
    assert found["decisions"] == 80
    assert main(["decisions", "replay", log, "--version", "2026-12"]) == 2
    assert "no decision of the log is of this version; known: 2026-10, 2026-11" in capsys.readouterr().err


def test_log_without_exploration_has_only_agreeing_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(8)
    logged, other = two_versions(tmp_path, None)
    rows = logged.decide(random, 100)
    log = write(tmp_path / "log", [logged], rows)
    write_rows(tmp_path / "log", OUTCOMES, GAME, buy(rows, random))
    assert main(["decisions", "replay", log, "--version", "2026-11", "--catalog", str(other.catalog())]) == 0
    output = capsys.readouterr().out
    assert "warning: nothing was explored" in output
    found = verdict(capsys, log, "--version", "2026-11", "--catalog", str(other.catalog()))
    assert found["overlap"] == pytest.approx(1 - found["changed"])
    assert found["agreeing"] == round(100 * found["overlap"])
    assert found["estimates"]["conversion"]["ips"] == found["estimates"]["conversion"]["logged"]


def test_overlap_excludes_offers_that_could_not_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(8)
    narrow = Explore(kind="epsilon", share=100, top=2)
    logged, other = two_versions(tmp_path, narrow)
    rows = logged.decide(random, 200)
    log = write(tmp_path / "log", [logged], rows)
    write_rows(tmp_path / "log", OUTCOMES, GAME, buy(rows, random))
    found = verdict(capsys, log, "--version", "2026-11", "--catalog", str(other.catalog()))
    assert 0.3 < found["overlap"] < 0.95
    assert any("could not show the offer" in warning for warning in found["warnings"])


def test_score_pinned_players_and_fallbacks_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = ScoredVersion(tmp_path)
    rows = version.decide(np.random.default_rng(1), 20)
    rows[0] |= {"method": "Score", "score": rows[0]["scores"][0], "propensity": None, "limit": None}
    rows[1] |= {"pinned": True}
    rows[2] |= {"source": "FALLBACK", "reason": "holdout", "ensemble": None, "rows": None, "scores": None}
    found = verdict(capsys, write(tmp_path / "log", [version], rows), "--version", "2026-10")
    assert found["decisions"] == 17
    assert set(found["skipped"].values()) == {1}
    assert "fallback: holdout" in found["skipped"]
    assert found["changed"] == 0.0
    assert any("no outcomes" in warning for warning in found["warnings"])


def test_purchases_count_if_they_are_of_the_first_offer_and_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = ScoredVersion(tmp_path)
    rows = version.decide(np.random.default_rng(1), 10)
    log = write(tmp_path / "log", [version], rows)
    bought = buy(rows, np.random.default_rng(0))[:1] * 4
    bought = [{**one, "outcome_id": f"o{at}", "decision_id": rows[at]["decision_id"]} for at, one in enumerate(bought)]
    bought[1]["offer"] = rows[1]["offers"][0]
    bought[2]["offer"] = "another"
    bought[3]["time"] += timedelta(hours=3)
    write_rows(tmp_path / "log", OUTCOMES, GAME, bought)
    found = verdict(capsys, log, "--version", "2026-10", "--within", "2")
    assert found["estimates"]["conversion"]["logged"]["value"] == 0.2


def test_feature_without_a_source_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged, other = ScoredVersion(tmp_path / "a"), ScoredVersion(tmp_path / "b", "2026-11", seed=9)
    for name in ("texts", "player"):
        path = other.models[name]
        path.write_text(path.read_text().replace("country", "continent"))
    log = write(tmp_path / "log", [logged], logged.decide(np.random.default_rng(1), 10))
    assert main(["decisions", "replay", log, "--version", "2026-11", "--catalog", str(other.catalog())]) == 2
    assert "feature 'continent' has no source" in capsys.readouterr().err


def test_page_has_the_estimates_and_the_offers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(8)
    version = ScoredVersion(tmp_path, explore=EXPLORE)
    rows = version.decide(random, 80)
    log = write(tmp_path / "log", [version], rows)
    write_rows(tmp_path / "log", OUTCOMES, GAME, buy(rows, random))
    page = tmp_path / "page.html"
    assert main(["decisions", "replay", log, "--version", "2026-10", "--html", str(page)]) == 0
    text = page.read_text()
    for title in ("conversion per decision", "revenue EUR per decision", "offers that are ranked first"):
        assert title in text
    assert "the effective sample size is" in text
    assert "doubly robust less the log" in capsys.readouterr().out


@pytest.mark.parametrize("is_partly", [True, False])
def test_decisions_without_the_votes_of_their_draw_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_partly: bool
) -> None:
    random = np.random.default_rng(8)
    logged, other = two_versions(tmp_path, Explore(kind="thompson_votes", share=80, top=5))
    rows = [row for row in logged.decide(random, 60) if len(row["candidates"]) > 1]
    for row in rows[:10]:
        row["votes"] = [None] * 4 + row["votes"][4:] if is_partly else None
    log = write(tmp_path / "log", [logged], rows)
    found = verdict(capsys, log, "--version", "2026-11", "--catalog", str(other.catalog()))
    assert found["decisions"] == len(rows) - 10
    assert [count for reason, count in found["skipped"].items() if "votes by which" in reason] == [10]
