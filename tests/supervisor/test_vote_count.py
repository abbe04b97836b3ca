"""Counting a ballot: who voted on a request's rows, who did not and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.version import Model, Version
from supervisor.ballot import NO_VOTE
from supervisor.vote_count import VoteCount, count_votes

NAN = math.nan


def version(models: int, kind: str = "mean") -> Version:
    named = [{"name": f"m{number}", "uri": "m.txt", "weight": number + 1.0} for number in range(models)]
    return Version.model_validate({"combine": {"kind": kind}, "models": named})


def scores(counted: VoteCount) -> list[float]:
    assert counted.scores is not None
    return [float(score) for score in counted.scores]


def test_every_vote_counts() -> None:
    (counted,) = count_votes(version(2), np.array([[0.2], [0.4]]), [None, None], [slice(0, 1)])
    assert scores(counted) == pytest.approx([0.3])
    assert (counted.voters, counted.missing) == (2, ())


def test_missing_model_has_its_reason() -> None:
    (counted,) = count_votes(version(2), np.array([[0.2], [NAN]]), [None, "its replica was lost"], [slice(0, 1)])
    assert (scores(counted), counted.voters, counted.missing) == ([0.2], 1, (("m1", "its replica was lost"),))


def test_late_model_is_missing_because_of_time() -> None:
    (counted,) = count_votes(version(2), np.array([[0.2], [NAN]]), [None, None], [slice(0, 1)])
    assert counted.missing == (("m1", NO_VOTE),)


def test_weights_of_missing_models_do_not_count() -> None:
    votes = np.array([[1.0], [NAN], [3.0]])
    (counted,) = count_votes(version(3, "weighted_mean"), votes, [None] * 3, [slice(0, 1)])
    assert scores(counted) == [(1.0 * 1 + 3.0 * 3) / 4]


def test_request_without_votes_has_no_scores() -> None:
    counts = count_votes(version(2), np.full((2, 3), NAN), ["down", "down"], [slice(0, 1), slice(1, 3)])
    assert [(counted.scores, counted.voters) for counted in counts] == [(None, 0)] * 2
    assert counts[1].missing == (("m0", "down"), ("m1", "down"))


def test_model_counts_only_for_requests_with_all_its_votes() -> None:
    votes = np.array([[0.2, 0.4, 0.6], [0.4, 0.4, NAN]])
    first, second = count_votes(version(2), votes, [None, "late"], [slice(0, 1), slice(1, 3)])
    assert scores(first) == pytest.approx([0.3])
    assert first.missing == ()
    assert (scores(second), second.missing) == ([0.4, 0.6], (("m1", "late"),))


def test_request_is_counted_by_its_own_rows() -> None:
    votes = np.array([[0.2, 0.4, 0.6], [0.4, 0.4, NAN]])
    (counted,) = count_votes(version(2), votes, [None, None], [slice(0, 1)])
    assert (counted.voters, counted.missing) == (2, ())


@given(st.data())
def test_request_has_the_same_count_in_a_cohort_and_alone(data: st.DataObject) -> None:
    models, sizes = data.draw(st.integers(1, 4)), data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    cells = st.lists(st.floats(0, 1) | st.just(NAN), min_size=models * sum(sizes), max_size=models * sum(sizes))
    votes = np.array(data.draw(cells)).reshape(models, sum(sizes))
    stops = np.cumsum(sizes).tolist()
    requests = [slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]
    reasons: list[str | None] = ["slow"] * models
    together = count_votes(version(models), votes, reasons, requests)
    for request, counted in zip(requests, together, strict=True):
        own = votes[:, request].copy()
        (alone,) = count_votes(version(models), own, reasons, [slice(0, own.shape[1])])
        whole = [model for model in range(models) if not np.isnan(own[model]).any()]
        assert counted.voters == alone.voters == len(whole)
        assert counted.missing == alone.missing
        assert len(counted.missing) == models - len(whole)
        assert (counted.scores is None) == (alone.scores is None) == (not whole)
        if counted.scores is not None and alone.scores is not None:
            assert counted.scores.tobytes() == alone.scores.tobytes()
            expected = [sum(column[whole].tolist()) / len(whole) for column in own.T]
            assert counted.scores.tolist() == pytest.approx(expected)


def test_name_and_weight_of_a_model_belong_to_its_votes() -> None:
    first = Model(name="first", uri="f.txt", weight=3.0)
    second = Model(name="second", uri="s.txt", weight=1.0)
    weighted = Version.model_validate({"combine": {"kind": "weighted_mean"}, "models": [first, second]})
    (counted,) = count_votes(weighted, np.array([[1.0], [0.0]]), [None, None], [slice(0, 1)])
    assert scores(counted) == [0.75]
