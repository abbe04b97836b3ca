"""`mesh explain ID LOG` explains the scores that are in the log."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.catalog.version import Combine
from mesh.cli.main import main
from mesh.decision_id import new_id, time_ms
from mesh.reference.combination import combine
from tests.decisions.log_writer import write_side_file
from tests.decisions.scored_log import GAME, ScoredVersion, write

COUNT = 12


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> ScoredVersion:
    return ScoredVersion(tmp_path_factory.mktemp("models"), combine=Combine(kind="weighted_mean"))


@pytest.fixture(scope="module")
def decisions(version: ScoredVersion) -> list[dict[str, Any]]:
    return decide(version, 5, COUNT)


@pytest.fixture(scope="module")
def log(version: ScoredVersion, decisions: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("log"), [version], decisions)


def decide(version: ScoredVersion, seed: int, count: int, **given: Any) -> list[dict[str, Any]]:
    """Decisions whose time is that of their ids."""
    rows = version.decide(np.random.default_rng(seed), count, **given)
    return [{**row, "time": datetime.fromtimestamp(time_ms(row["decision_id"]) / 1000, UTC)} for row in rows]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", *arguments, "--json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_contributions_add_up_to_the_logged_votes(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], log: str
) -> None:
    for decision in decisions:
        found = explained(capsys, decision["decision_id"], log)
        (offer,) = found["offers"]
        place = decision["candidates"].index(decision["offers"][0])
        assert offer["offer"] == decision["offers"][0]
        assert offer["score"] == decision["scores"][place]
        votes = decision["votes"][4 * place : 4 * place + 4]
        for model, vote in zip(offer["models"], votes, strict=True):
            assert model["vote"] == vote
            if vote is None:
                assert model["problem"] == "had no vote"
                continue
            raw = math.fsum((model["base"], *model["contributions"].values()))
            assert 1 / (1 + math.exp(-raw)) == pytest.approx(vote, rel=1e-12)


def test_values_are_those_of_the_request_and_of_the_offer(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], log: str, version: ScoredVersion
) -> None:
    for decision in decisions:
        (offer,) = explained(capsys, decision["decision_id"], log)["offers"]
        context, place = json.loads(decision["context"] or "{}"), version.offers.positions[offer["offer"]]
        inputs = {name: one["value"] for name, one in offer["inputs"].items()}
        assert inputs["art"] == context.get("art", version.offers.texts["art"][place]) or inputs["art"] is None
        assert inputs["minutes"] == context.get("minutes")
        if context.get("platform") == "wii":
            assert offer["inputs"]["platform"] == {"value": "wii", "note": "unknown to the models"}


def test_difference_of_two_candidates_has_no_part_of_the_player_in_additive_models(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], log: str
) -> None:
    decision = next(one for one in decisions if len(one["candidates"]) > 2 and not one["missing_models"])
    first, second = decision["candidates"][:2]
    found = explained(capsys, decision["decision_id"], log, "--offer", first, "--against", second)
    one, other = (offer["ensemble"] for offer in found["offers"])
    change = found["difference"]
    assert change["base"] == 0
    assert math.fsum(change["contributions"].values()) == pytest.approx(one["raw"] - other["raw"])


def test_models_are_found_by_their_digest_in_a_folder(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], version: ScoredVersion, tmp_path: Path
) -> None:
    gone = {"uri": "gone.txt"}
    for kind, name, content in version.side_files():
        if kind == "ensembles":
            content["models"] = [{**model, **gone} for model in content["models"]]
        file = tmp_path / kind / "game=dragonfall" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    write(tmp_path, [], decisions)
    decision = decisions[0]["decision_id"]
    assert main(["explain", decision, str(tmp_path)]) == 2
    assert "--models DIR" in capsys.readouterr().err
    assert explained(capsys, decision, str(tmp_path), "--models", str(version.folder))["decision"] == decision


def test_catalog_names_the_log_and_the_models(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], version: ScoredVersion, log: str
) -> None:
    catalog = version.catalog()
    catalog.write_text(f"{catalog.read_text()}decisions: {{to: {log}}}\n")
    decision = decisions[0]["decision_id"]
    assert explained(capsys, decision, str(catalog)) == explained(capsys, decision, log)
    assert explained(capsys, decision, "--catalog", str(catalog)) == explained(capsys, decision, log)


def test_vote_that_does_not_belong_to_its_row_is_an_error(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    (decision,) = decide(version, 8, 1)
    place = next(place for place, vote in enumerate(decision["votes"]) if vote is not None)
    at, model = divmod(place, 4)
    decision["votes"][place] += 1e-16 * 2
    log = write(tmp_path, [version], [decision])
    assert main(["explain", decision["decision_id"], log, "--offer", decision["candidates"][at]]) == 2
    error = capsys.readouterr().err
    assert f"model {list(version.models)[model]}: the log has the vote {decision['votes'][place]!r}" in error


def test_votes_that_are_not_logged_are_computed(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    (decision,) = decide(version, 9, 1, votes=None)
    (offer,) = explained(capsys, decision["decision_id"], write(tmp_path, [version], [decision]))["offers"]
    lacking = set(decision["missing_models"] or ())
    assert {model["model"] for model in offer["models"] if model["vote"] is None} == lacking


def test_decision_without_scores_says_why(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    given = {"source": "FALLBACK", "reason": "holdout", "ensemble": None, "scores": None}
    (decision,) = decide(version, 9, 1, **given)
    (without,) = decide(version, 10, 1, rows=None)
    log = write(tmp_path, [version], [decision, without])
    assert main(["explain", decision["decision_id"], log]) == 2
    assert "cannot be explained: fallback: holdout" in capsys.readouterr().err
    assert main(["explain", without["decision_id"], log]) == 2
    assert (
        "its features are not in the log; to explain what the models say now, give --player" in capsys.readouterr().err
    )


def test_unknown_and_damaged_ids_are_errors(capsys: pytest.CaptureFixture[str], log: str) -> None:
    assert main(["explain", new_id(), log]) == 1
    assert "has no decision" in capsys.readouterr().err
    assert main(["explain", "not-an-id", log]) == 2
    assert "is not a UUIDv7" in capsys.readouterr().err


def test_wrong_options_of_a_decision_are_named(
    capsys: pytest.CaptureFixture[str], decisions: list[dict[str, Any]], log: str
) -> None:
    decision = decisions[0]["decision_id"]
    for options, fault in (
        ([decision], "its LOG or catalog"),
        ([decision, log, "--player", "p1"], "a decision has its own player"),
        ([decision, log, "--version", "x"], "a decision has its own version"),
        ([decision, log, "--offer", "none"], "offer 'none' is not a candidate"),
    ):
        assert main(["explain", *options]) == 2
        assert fault in capsys.readouterr().err


def scored_without_offers(version: ScoredVersion, folder: Path) -> tuple[dict[str, Any], str]:
    """A log of a game without offers, with the answer to one Score, and the answer."""
    (drawn,) = decide(version, 11, 1)
    values = {row["layout"]: row["values"] for row in drawn["rows"]}
    contents = {(kind, name): content for kind, name, content in version.side_files()}
    ensemble = contents["ensembles", version.ensemble]
    ensemble["offers"] = None
    votes = [
        version.boosters[model["name"]].predict([values[model["layout"]]], num_threads=1)[0]
        for model in ensemble["models"]
    ]
    weights = [model["weight"] for model in ensemble["models"]]
    score = combine(version.combine, [votes], weights)[0]
    answer = {"method": "Score", "candidates": None, "offers": None, "revenues": None, "limit": None, "score": score}
    decision = {**drawn, **answer, "scores": [score], "votes": votes, "missing_models": None, "propensity": None}
    log = write(folder, [], [decision])
    for (kind, name), content in contents.items():
        write_side_file(folder, kind, GAME, name, {**content, "offer_features": []} if kind == "layouts" else content)
    return decision, log


def test_score_of_a_game_without_offers_is_explained_and_shown(
    capsys: pytest.CaptureFixture[str], version: ScoredVersion, tmp_path: Path
) -> None:
    decision, log = scored_without_offers(version, tmp_path)
    (explained_score,) = explained(capsys, decision["decision_id"], log)["offers"]
    assert (explained_score["offer"], explained_score["score"]) == (None, decision["score"])
    assert main(["decisions", "show", decision["decision_id"], log]) == 0
    assert f"answer: score {decision['score']:.6g}, " in capsys.readouterr().out
    assert main(["explain", decision["decision_id"], log, "--offer", "gems"]) == 2
    assert "the game has no offers" in capsys.readouterr().err
