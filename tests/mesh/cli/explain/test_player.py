"""`mesh explain --player` explains the scores that the models of a catalog give."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from mesh.catalog import catalog as catalogs
from mesh.cli.main import main
from mesh.cli.stored_players import players_of
from mesh.reference.oracle import Oracle
from tests.mesh.cli.explain.game import BINARY, REGRESSION, write_game


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_game(tmp_path_factory.mktemp("arena"), REGRESSION, "{kind: weighted_mean}")


@pytest.fixture(scope="module")
def binary_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_game(tmp_path_factory.mktemp("arena"), BINARY)


@pytest.fixture
def explained(catalog: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return as_json(capsys, catalog, "--offer", "large", "--against", "small", "--context", "platform=ios")


def as_json(capsys: pytest.CaptureFixture[str], catalog: Path, *options: str, player: str = "p1") -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", "--player", player, "--catalog", str(catalog), *options, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def text_of(capsys: pytest.CaptureFixture[str], catalog: Path, *options: str) -> str:
    capsys.readouterr()
    assert main(["explain", "--player", "p1", "--catalog", str(catalog), *options]) == 0
    return capsys.readouterr().out


def total(account: dict[str, Any]) -> float:
    return math.fsum((account["base"], *account["contributions"].values()))


def test_scores_are_those_of_the_reference(catalog: Path, explained: dict[str, Any]) -> None:
    game = catalogs.load(catalog)
    oracle = Oracle(game, players_of(game), lambda _: {"platform": "ios"})
    expected = oracle.scores("2026-11", (), "p1")
    assert {one["offer"]: one["score"] for one in explained["offers"]} == {
        "large": expected["large"],
        "small": expected["small"],
    }


def test_contributions_add_up_to_the_scores_and_their_difference(explained: dict[str, Any]) -> None:
    large, small = explained["offers"]
    for one in (large, small):
        assert one["ensemble"]["is_score"]
        assert total(one["ensemble"]) == pytest.approx(one["score"])
        for model in one["models"]:
            assert total(model) == pytest.approx(model["raw"]) == model["vote"]
    assert total(explained["difference"]) == pytest.approx(large["score"] - small["score"])


def test_only_features_that_differ_are_in_a_difference_without_interactions(explained: dict[str, Any]) -> None:
    values = explained["difference"]["contributions"]
    assert max(values, key=lambda name: abs(values[name])) == "tier"


def test_inputs_are_those_that_a_person_knows(capsys: pytest.CaptureFixture[str], catalog: Path) -> None:
    (offer,) = as_json(capsys, catalog, "--offer", "odd", "--context", "platform=ios")["offers"]
    assert offer["inputs"] == {
        "f0": {"value": 0.5, "note": None},
        "platform": {"value": "ios", "note": None},
        "f2": {"value": -1.25, "note": None},
        "f3": {"value": None, "note": "missing"},
        "tier": {"value": 35.0, "note": "unknown to the models"},
        "f5": {"value": 2.0, "note": None},
    }


def test_table_shows_the_most_important_features_and_the_sum_of_the_others(
    capsys: pytest.CaptureFixture[str], catalog: Path
) -> None:
    text = text_of(capsys, catalog, "--offer", "large", "--context", "platform=ios", "--top", "2")
    assert "game arena, version 2026-11, player p1" in text
    assert re.search(r"^f0 +0.5 +[+-]", text, re.MULTILINE)
    assert re.search(r"^\d other features +[+-]", text, re.MULTILINE)
    assert "The contributions add up to the score, the weighted mean of the models' raw scores." in text
    base, change = re.search(r"= base (\S+) (\S+) of the features", text).groups()  # type: ignore[union-attr]
    score = float(re.search(r"offer large: score (\S+),", text)[1])  # type: ignore[index]
    assert float(base) + float(change) == pytest.approx(score, abs=1e-5)


def test_mean_of_probabilities_is_not_said_to_be_explained(
    capsys: pytest.CaptureFixture[str], binary_catalog: Path
) -> None:
    text = text_of(capsys, binary_catalog, "--offer", "large", "--context", "platform=ios")
    assert "log odds of the score" in text
    assert "They do not add up to the score" in text


def test_one_model_is_explained_alone(capsys: pytest.CaptureFixture[str], catalog: Path) -> None:
    text = text_of(capsys, catalog, "--offer", "large", "--model", "m1")
    assert re.search(r"^m1: score \S+ = base", text, re.MULTILINE)
    assert "The contributions add up to the raw score of m1" in text


@pytest.mark.parametrize("combine", ["{kind: rank_mean}", "{kind: vote, threshold: 0.5}"])
def test_models_are_shown_if_the_ensemble_has_no_figure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, combine: str
) -> None:
    text = text_of(capsys, write_game(tmp_path, BINARY, combine, models=2), "--offer", "large")
    assert "No figure for the ensemble" in text
    assert re.search(r"^m0: log odds", text, re.MULTILINE)
    assert re.search(r"^m1: log odds", text, re.MULTILINE)


def test_linear_trees_are_reported_and_their_vote_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    catalog = write_game(tmp_path, {**REGRESSION, "linear_tree": True}, models=1)
    found = as_json(capsys, catalog, "--offer", "large")["offers"][0]
    assert found["score"] is not None
    assert "not implemented for linear trees" in found["models"][0]["problem"]
    assert found["ensemble"]["reason"].startswith("these models have no contributions: m0")


def test_page_has_a_waterfall_of_the_ensemble_and_of_each_model(
    capsys: pytest.CaptureFixture[str], catalog: Path, tmp_path: Path
) -> None:
    page = tmp_path / "why.html"
    text_of(capsys, catalog, "--offer", "large", "--against", "small", "--html", str(page))
    html = page.read_text(encoding="utf-8")
    assert html.count('"type":"waterfall"') == 4
    assert "tier = 50 \\u002f 10" in html or "tier = 50 / 10" in html
    assert "Why large, and not small" in html


def test_unknown_player_is_said(capsys: pytest.CaptureFixture[str], catalog: Path) -> None:
    found = as_json(capsys, catalog, "--offer", "large", player="nobody")
    assert "does not know player 'nobody'" in found["notes"][0]
    assert found["offers"][0]["inputs"]["f0"] == {"value": None, "note": "missing"}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ([], "name one with --offer"),
        (["--offer", "big"], "'big' is not an offer of the game; known: small, large, odd"),
        (["--offer", "large", "--against", "big"], "'big' is not an offer"),
        (["--offer", "large", "--version", "2027"], "no such version, only 2026-11"),
        (["--offer", "large", "--model", "x"], "no such model; known: m0, m1, m2"),
        (["--offer", "large", "--context", "mood=2"], "is not a context feature of arena; known: platform"),
        (["--offer", "large", "--context", "platform=2"], "is a text in the catalog, not a number"),
    ],
)
def test_wrong_options_are_named(
    capsys: pytest.CaptureFixture[str], catalog: Path, options: list[str], fault: str
) -> None:
    assert main(["explain", "--player", "p1", "--catalog", str(catalog), *options]) == 2
    assert fault in capsys.readouterr().err


def test_damaged_model_is_refused_before_it_is_loaded(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    catalog = write_game(tmp_path, BINARY, models=1)
    model = tmp_path / "m0.txt"
    model.write_text(re.sub(r"^left_child=\S+", "left_child=0", model.read_text(), count=1, flags=re.MULTILINE))
    assert main(["explain", "--player", "p1", "--catalog", str(catalog), "--offer", "large"]) == 2
    assert "m0.txt" in capsys.readouterr().err
