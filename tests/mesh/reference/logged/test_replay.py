"""Replays of logs whose rows, scores and orders the supervisor's code made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from mesh.catalog.version import Combine, CombineKind
from mesh.decisions.log import open_log
from mesh.decisions.side_files import SideFiles
from mesh.exploration import Explore
from mesh.reference.logged.replay import Replay, ReplayResult
from mesh.reference.model_search import find_models
from tests.decisions.scored_log import GAME, ScoredVersion, write

Rows = list[dict[str, Any]]


def replay(root: Path, versions: Sequence[ScoredVersion], rows: Sequence[Mapping[str, Any]]) -> ReplayResult:
    write(root / "log", versions, rows)
    with open_log(str(root / "log")) as log:
        files = SideFiles(log, GAME)
        models = [model for version in versions for model in files.ensemble(version.ensemble).models]
        found = Replay(files, find_models(models, [], None, root))
        found.add(log.read(log.decisions(GAME)))
        return found.result


@pytest.fixture(name="random")
def fixture_random() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("rank_by", ["score", "expected_revenue"])
@pytest.mark.parametrize("kind", get_args(CombineKind))
def test_replay_equals_the_supervisor_to_the_bit(
    tmp_path: Path, random: np.random.Generator, kind: CombineKind, rank_by: str
) -> None:
    version = ScoredVersion(tmp_path, combine=Combine(kind=kind, trim=0.3), rank_by=rank_by)
    result = replay(tmp_path, [version], version.decide(random, 120))
    assert (result.replayed, result.different, result.first, dict(result.skipped)) == (120, 0, None, {})
    assert result.partial > 20
    assert result.votes > 1000


def test_versions_are_replayed_by_their_own_models(tmp_path: Path, random: np.random.Generator) -> None:
    versions = [ScoredVersion(tmp_path), ScoredVersion(tmp_path, "2026-11", Combine(kind="median"), seed=2)]
    rows = [row for version in versions for row in version.decide(random, 30)]
    result = replay(tmp_path, versions, rows)
    assert (result.replayed, result.different) == (60, 0)


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)


@pytest.mark.parametrize("part", ["vote", "score", "revenue", "offers"])
def test_first_difference_names_the_decision_and_both_values(
    tmp_path: Path, random: np.random.Generator, part: str
) -> None:
    version = ScoredVersion(tmp_path)
    rows = version.decide(random, 20)
    for row in (rows[7], rows[11]):
        assert row["source"] == "ENSEMBLE"
        if part == "vote":
            row["votes"][2] = _up(row["votes"][2])
        elif part == "offers":
            row["offers"] = ["gift"]
        else:
            row[f"{part}s"][0] = _up(row[f"{part}s"][0])
    result = replay(tmp_path, [version], rows)
    assert result.different == 2
    assert result.first is not None
    assert (result.first.decision_id, result.first.part) == (rows[7]["decision_id"], part)
    if part != "offers":
        assert result.first.offer == rows[7]["candidates"][0]
        assert isinstance(result.first.replayed, float)
        assert result.first.logged == _up(result.first.replayed)
    assert result.first.model == ("player" if part == "vote" else None)


EXPLORE = {
    "epsilon": Explore(kind="epsilon", share=60, top=3),
    "softmax": Explore(kind="softmax", share=60, top=4, temperature=2.0),
    "thompson_votes": Explore(kind="thompson_votes", share=60, top=5),
}


@pytest.mark.parametrize("kind", EXPLORE)
def test_draws_and_propensities_equal_the_supervisor_to_the_bit(
    tmp_path: Path, random: np.random.Generator, kind: str
) -> None:
    version = ScoredVersion(tmp_path, combine=Combine(kind="weighted_mean"), explore=EXPLORE[kind])
    rows = version.decide(random, 120)
    result = replay(tmp_path, [version], rows)
    assert (result.explored, result.different) == (sum(row["explored"] for row in rows), 0)
    assert result.explored > 40
    drawn = next(row for row in rows if row["explored"] and len(row["offers"]) > 1)
    drawn["offers"].reverse()
    rows[0]["propensity"] = _up(rows[0]["propensity"])
    result = replay(tmp_path, [version], rows)
    assert result.different == 2
    assert result.first is not None
    assert result.first.part == "propensity"


def test_decisions_without_scores_or_features_are_counted_with_the_reason(
    tmp_path: Path, random: np.random.Generator
) -> None:
    version = ScoredVersion(tmp_path)
    rows: Rows = version.decide(random, 6)
    empty = {"ensemble": None, "rows": None, "scores": None, "votes": None, "candidates": None, "revenues": None}
    rows[0] |= {**empty, "source": "FALLBACK", "reason": "holdout"}
    rows[1] |= {**empty, "source": "FALLBACK", "reason": "deadline"}
    rows[2]["rows"] = None
    rows[3]["rows"] = rows[3]["rows"][:1]
    rows[4]["rows"][0]["values"] = rows[4]["rows"][0]["values"][:-1]
    result = replay(tmp_path, [version], rows)
    assert result.replayed == 1
    assert result.skipped == {"fallback: holdout": 1, "fallback: deadline": 1, "its features are not in the log": 3}


def test_candidates_without_logged_votes_are_compared_by_their_scores(
    tmp_path: Path, random: np.random.Generator
) -> None:
    version = ScoredVersion(tmp_path)
    rows = version.decide(random, 20)
    rows[0]["votes"] = None
    rows[1]["votes"][4:] = [None] * len(rows[1]["votes"][4:])
    assert replay(tmp_path, [version], rows).different == 0
    rows[1]["votes"][1] = None if rows[1]["votes"][1] is not None else 0.5
    assert replay(tmp_path, [version], rows).different == 1


def test_score_is_the_score_of_its_candidate(tmp_path: Path, random: np.random.Generator) -> None:
    version = ScoredVersion(tmp_path)
    rows = [row for row in version.decide(random, 40) if len(row["candidates"]) == 1]
    for row in rows:
        row |= {"method": "Score", "score": row["scores"][0], "offers": None, "limit": None, "propensity": None}
    assert replay(tmp_path, [version], rows).different == 0
    rows[1]["score"] = _up(rows[1]["score"])
    assert replay(tmp_path, [version], rows).different == 1
