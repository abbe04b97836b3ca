"""`mesh decisions show` prints one decision as it is in the log."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.cli.main import main
from mesh.decision_id import new_id, time_ms
from mesh.decisions.schema import OUTCOMES
from tests.decisions.log_writer import write_rows
from tests.decisions.scored_log import GAME, ScoredVersion, write


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> ScoredVersion:
    return ScoredVersion(tmp_path_factory.mktemp("models"))


def decide(version: ScoredVersion, seed: int = 1, count: int = 1, **given: Any) -> list[dict[str, Any]]:
    rows = version.decide(np.random.default_rng(seed), count, **given)
    return [{**row, "time": datetime.fromtimestamp(time_ms(row["decision_id"]) / 1000, UTC)} for row in rows]


def text_of(capsys: pytest.CaptureFixture[str], decision: dict[str, Any], log: str, *options: str) -> str:
    capsys.readouterr()
    assert main(["decisions", "show", decision["decision_id"], log, *options]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def json_of(capsys: pytest.CaptureFixture[str], decision: dict[str, Any], log: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(capsys, decision, log, "--json"))
    return found


def test_candidates_have_their_scores_and_votes_in_the_order_of_the_rule(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    decisions = decide(version, count=12)
    log = write(tmp_path, [version], decisions)
    for decision in decisions:
        found = json_of(capsys, decision, log)["candidates"]
        assert [one["offer"] for one in found if one["place"]] == decision["offers"]
        assert [one["place"] for one in found][: len(decision["offers"])] == list(range(1, len(decision["offers"]) + 1))
        by_offer = {one["offer"]: one for one in found}
        for at, offer in enumerate(decision["candidates"]):
            assert by_offer[offer]["score"] == decision["scores"][at]
            assert by_offer[offer]["revenue"] == decision["revenues"][at] or by_offer[offer]["revenue"] is None
            assert list(by_offer[offer]["votes"].values()) == decision["votes"][4 * at : 4 * at + 4]


def test_reasons_are_said_in_words(capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "explored": True, "propensity": 0.0125, "pinned": True, "caller": "lobby", "source": "PARTIAL",
        "reason": "missing-models", "detail": "2 of 4 models voted", "missing_models": ["plain", "texts"],
        "missing_inputs": ["spend"], "unseen_inputs": ["art"], "total_ms": 9.5, "queue_ms": 1.25, "fan_out_ms": 6.0,
        "last_model": "player", "features_age_ms": 86_400_000.0,
    }  # fmt: skip
    (decision,) = decide(version, **given)
    text = text_of(capsys, decision, write(tmp_path, [version], [decision]))
    for part in (
        f"decision {decision['decision_id']}, {decision['time']:%Y-%m-%d %H:%M:%S}",
        "player p0, caller lobby, request r0",
        "version 2026-10: pinned by the caller",
        "PARTIAL (missing-models: 2 of 4 models voted)",
        "explore: the first offer was drawn; its probability was 0.0125",
        "models without a vote: plain, texts",
        "features without a value: spend",
        "features with a value that no model knows: art",
        "age of the features: 8.64e+04 s",
        "time: 9.50 ms = queue 1.25 + models (last: player) 6.00 + rest",
        "No outcomes.",
    ):
        assert part in text


def test_inputs_are_texts_with_their_source(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    decisions = decide(version, count=14)
    log = write(tmp_path, [version], decisions)
    seen = set[tuple[str, str]]()
    for decision in decisions:
        found = json_of(capsys, decision, log)
        context, position = json.loads(decision["context"] or "{}"), version.offers.positions[found["input_offer"]]
        assert found["inputs"]["price"]["source"] == "offer"
        price = version.offers.numbers["price"][position]
        assert found["inputs"]["price"]["value"] == (price if price == price else None)
        assert found["inputs"]["art"]["source"] == ("context" if "art" in context else "offer")
        assert found["inputs"]["country"]["value"] in ("de", "fr", None)
        if "platform" in context:
            assert found["inputs"]["platform"]["value"] == context["platform"]
        seen |= {(name, one["note"]) for name, one in found["inputs"].items()}
    assert {("platform", "unknown to the models"), ("level", "missing"), ("country", "missing or unknown")} <= seen


def test_outcomes_follow_in_the_order_of_time(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    decision, other = decide(version, count=2)
    log, time = write(tmp_path, [version], [decision, other]), decision["time"]
    reported = [
        ("purchased", 30, decision["decision_id"], None, 9.99),
        ("shown", 1, None, decision["request_id"], None),
        ("clicked", 5, other["decision_id"], None, None),
    ]
    rows = [
        {
            "outcome_id": f"{at}", "kind": kind, "decision_id": id_, "request_id": request, "value": value,
            "currency": None if value is None else "EUR", "time": time + timedelta(seconds=after),
            "received": time + timedelta(seconds=after),
        }
        for at, (kind, after, id_, request, value) in enumerate(reported)
    ]  # fmt: skip
    write_rows(tmp_path, OUTCOMES, GAME, rows)
    assert [one["kind"] for one in json_of(capsys, decision, log)["outcomes"]] == ["shown", "purchased"]
    assert re.search(r"purchased +.* UTC +the first +9\.99 EUR", text_of(capsys, decision, log))


def test_player_of_the_holdout_has_an_answer_without_models(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    nothing = dict.fromkeys(("ensemble", "candidates", "scores", "revenues", "votes", "rows", "propensity", "context"))
    given: dict[str, Any] = {
        **nothing,
        "source": "FALLBACK",
        "reason": "holdout",
        "detail": "no models",
        "offers": ["starter"],
    }
    (decision,) = decide(version, **given)
    text = text_of(capsys, decision, write(tmp_path, [version], [decision]))
    assert "was not asked: the player is in the holdout" in text
    assert "answer: starter, FALLBACK (holdout: no models)" in text
    assert "candidates" not in text


def test_votes_without_a_quorum_are_shown(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "source": "FALLBACK",
        "reason": "quorum",
        "scores": None,
        "revenues": None,
        "propensity": None,
    }
    (decision,) = decide(version, **given)
    found = json_of(capsys, decision, write(tmp_path, [version], [decision]))
    assert [one["score"] for one in found["candidates"]] == [None] * len(decision["candidates"])
    assert any(vote is not None for one in found["candidates"] for vote in one["votes"].values())
    assert found["inputs"]


def test_features_that_are_not_logged_are_said(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    (decision,) = decide(version, rows=None)
    assert "The features are not in the log" in text_of(capsys, decision, write(tmp_path, [version], [decision]))


def test_only_the_files_of_the_hour_are_read(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    (decision,) = decide(version)
    log = write(tmp_path, [version], [decision])
    hour = next((tmp_path / "decisions").rglob("hour=*"))
    damaged = tmp_path / "decisions" / f"game={GAME}" / "date=2026-01-01" / "hour=05"
    shutil.copytree(hour, damaged)
    next(damaged.iterdir()).write_bytes(b"damaged")
    assert decision["decision_id"] in text_of(capsys, decision, log)


def test_unknown_and_damaged_ids_are_errors(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    log = write(tmp_path, [version], decide(version))
    assert main(["decisions", "show", new_id(), log]) == 1
    assert "has no decision" in capsys.readouterr().err
    assert main(["decisions", "show", "0123", log]) == 2
    assert "'0123' is not a UUIDv7; give the `decision_id` of an answer" in capsys.readouterr().err


def test_excluded_feature_is_not_called_missing(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    (decision,) = decide(version)
    log = write(tmp_path, [version], [decision])
    (file,) = tmp_path.glob("ensembles/*/*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "excluded": ["spend"]}))
    assert json_of(capsys, decision, log)["inputs"]["spend"] == {
        "value": None,
        "note": "not in the log",
        "source": "store",
    }


def test_outcome_of_a_repeated_request_is_shown_once(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    decisions = decide(version, count=3, request_id="r")
    begin = decisions[0]["time"]
    decisions = [{**one, "time": begin + timedelta(seconds=at)} for at, one in enumerate(decisions)]
    log = write(tmp_path, [version], decisions)
    received = begin + timedelta(seconds=1.5)
    clicked = {"outcome_id": "o", "request_id": "r", "time": received, "received": received, "kind": "clicked"}
    write_rows(tmp_path, OUTCOMES, GAME, [clicked])
    found = [len(json_of(capsys, one, log)["outcomes"]) for one in decisions]
    assert found == [0, 1, 0]
