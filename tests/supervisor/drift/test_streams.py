"""Simulated streams: without drift nothing is found, and a planted drift is found under its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mesh.drift.reference import Reference
from tests.supervisor.drift.streams import MODELS, Stream, draw, findings_of, reference

REQUESTS = 1_500
WINDOWS = 400


@pytest.fixture(scope="module")
def known() -> Reference:
    return reference()


def test_no_drift_is_found_in_requests_like_those_of_the_training(known: Reference) -> None:
    rng = np.random.default_rng(7)
    severities = []
    for _ in range(WINDOWS):
        found = findings_of(draw(rng, 500), known)
        assert len(found) == 8 + len(MODELS) + 1  # every feature and score
        severities.append(found[0].severity)
    assert max(severities) < 0.9


def shifted(stream: Stream) -> None:
    stream.values["level"] += 4


def scaled(stream: Stream) -> None:
    stream.values["minutes"] *= 60  # seconds instead of minutes


def lost(stream: Stream) -> None:
    stream.values["spend"][::5] = np.nan


def lost_text(stream: Stream) -> None:
    stream.values["country"][::10] = None


def new_category(stream: Stream) -> None:
    stream.values["country"][::20] = "mars"


def new_number_category(stream: Stream) -> None:
    stream.values["tier"][::20] = 40.0


def other_mix(stream: Stream) -> None:
    stream.values["platform"][::3] = "ios"
    stream.values["platform"][::2] = "ios"


@pytest.mark.parametrize(
    ("plant", "name", "cause"),
    [
        (shifted, "level", "psi"),
        (scaled, "minutes", "psi"),
        (lost, "spend", "missing"),
        (lost_text, "country", "missing"),
        (new_category, "country", "unseen"),
        (new_number_category, "tier", "unseen"),
        (other_mix, "platform", "psi"),
    ],
)
def test_drift_of_one_feature_is_found_under_its_name(
    known: Reference, plant: Callable[[Stream], None], name: str, cause: str
) -> None:
    for seed in range(10):
        stream = draw(np.random.default_rng(seed), REQUESTS)
        plant(stream)
        found = findings_of(stream, known)
        assert [(one.kind, one.name, one.cause) for one in found if one.severity >= 1] == [("feature", name, cause)]


def test_drift_of_the_offers_names_their_features(known: Reference) -> None:
    stream = draw(np.random.default_rng(1), REQUESTS)
    stream.values["offer"][:] = 2
    found = findings_of(stream, known)
    assert {one.name for one in found if one.severity >= 1} == {"price", "kind"}


def test_shift_of_one_models_score_names_the_model_and_the_disagreement(known: Reference) -> None:
    stream = draw(np.random.default_rng(1), REQUESTS)
    stream.votes[:, 1] += 1.0
    found = findings_of(stream, known)
    drifted = {(one.kind, one.name) for one in found if one.severity >= 1}
    assert drifted == {("score", "pvp"), ("disagreement", "")}
    (score,) = [one for one in found if one.name == "pvp"]
    assert score.shift == pytest.approx(1.0 / known.scores["pvp"].deviation, abs=0.1)


def test_disagreement_is_found_while_each_score_has_its_distribution(known: Reference) -> None:
    rng = np.random.default_rng(1)
    stream = draw(rng, REQUESTS)
    for model in range(len(MODELS)):
        stream.votes[:, model] = rng.permutation(stream.votes[:, model])
    drifted = {(one.kind, one.name) for one in findings_of(stream, known) if one.severity >= 1}
    assert drifted == {("disagreement", "")}


def test_missing_votes_do_not_shift_the_score(known: Reference) -> None:
    stream = draw(np.random.default_rng(1), REQUESTS)
    stream.votes[: REQUESTS // 2, 0] = np.nan
    found = {one.name: one for one in findings_of(stream, known) if one.kind == "score"}
    assert found["whales"].missing == 0.5
    assert found["whales"].cause == "missing"
    assert abs(found["whales"].shift or 0.0) < 0.1
