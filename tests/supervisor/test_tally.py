"""Counting a ballot: who voted on a request's rows, who did not and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.catalog import Model, Version
from supervisor.tally import NO_VOTE, Tally, count

NAN = math.nan


def version(models: int, kind: str = "mean") -> Version:
    named = [{"name": f"m{number}", "uri": "m.txt", "weight": number + 1.0} for number in range(models)]
    return Version.model_validate({"combine": {"kind": kind}, "models": named})


def scores(tally: Tally) -> list[float]:
    assert tally.scores is not None
    return [float(score) for score in tally.scores]


def test_everybody_who_voted_counts() -> None:
    (tally,) = count(version(2), np.array([[0.2], [0.4]]), [None, None], [slice(0, 1)])
    assert scores(tally) == pytest.approx([0.3])
    assert (tally.votes, tally.missing) == (2, ())


def test_an_absent_model_is_named_with_its_reason() -> None:
    (tally,) = count(version(2), np.array([[0.2], [NAN]]), [None, "its replica was lost"], [slice(0, 1)])
    assert (scores(tally), tally.votes, tally.missing) == ([0.2], 1, (("m1", "its replica was lost"),))


def test_a_model_that_is_only_late_is_missing_for_want_of_time() -> None:
    (tally,) = count(version(2), np.array([[0.2], [NAN]]), [None, None], [slice(0, 1)])
    assert tally.missing == (("m1", NO_VOTE),)


def test_the_weights_of_absent_models_do_not_count() -> None:
    votes = np.array([[1.0], [NAN], [3.0]])
    (tally,) = count(version(3, "weighted_mean"), votes, [None] * 3, [slice(0, 1)])
    assert scores(tally) == [(1.0 * 1 + 3.0 * 3) / 4]


def test_without_any_vote_there_is_no_score() -> None:
    tallies = count(version(2), np.full((2, 3), NAN), ["down", "down"], [slice(0, 1), slice(1, 3)])
    assert [(tally.scores, tally.votes) for tally in tallies] == [(None, 0)] * 2
    assert tallies[1].missing == (("m0", "down"), ("m1", "down"))


def test_a_model_counts_only_for_the_requests_that_it_voted_on() -> None:
    votes = np.array([[0.2, 0.4, 0.6], [0.4, 0.4, NAN]])
    first, second = count(version(2), votes, [None, "late"], [slice(0, 1), slice(1, 3)])
    assert scores(first) == pytest.approx([0.3])
    assert first.missing == ()
    assert (scores(second), second.missing) == ([0.4, 0.6], (("m1", "late"),))


def test_one_request_of_a_cohort_is_judged_by_its_own_rows() -> None:
    votes = np.array([[0.2, 0.4, 0.6], [0.4, 0.4, NAN]])
    (tally,) = count(version(2), votes, [None, None], [slice(0, 1)])
    assert (tally.votes, tally.missing) == (2, ())


@given(st.data())
def test_a_request_gets_in_company_what_it_gets_alone(data: st.DataObject) -> None:
    models, sizes = data.draw(st.integers(1, 4)), data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    cells = st.lists(st.floats(0, 1) | st.just(NAN), min_size=models * sum(sizes), max_size=models * sum(sizes))
    votes = np.array(data.draw(cells)).reshape(models, sum(sizes))
    stops = np.cumsum(sizes).tolist()
    requests = [slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]
    reasons: list[str | None] = ["slow"] * models
    together = count(version(models), votes, reasons, requests)
    for request, tally in zip(requests, together, strict=True):
        own = votes[:, request].copy()
        (alone,) = count(version(models), own, reasons, [slice(0, own.shape[1])])
        whole = [model for model in range(models) if not np.isnan(own[model]).any()]
        assert tally.votes == alone.votes == len(whole)
        assert tally.missing == alone.missing
        assert len(tally.missing) == models - len(whole)
        assert (tally.scores is None) == (alone.scores is None) == (not whole)
        if tally.scores is not None and alone.scores is not None:
            assert tally.scores.tobytes() == alone.scores.tobytes()
            expected = [sum(column[whole].tolist()) / len(whole) for column in own.T]
            assert tally.scores.tolist() == pytest.approx(expected)


def test_a_models_name_and_weight_belong_to_its_row_of_votes() -> None:
    first = Model(name="first", uri="f.txt", weight=3.0)
    second = Model(name="second", uri="s.txt", weight=1.0)
    weighted = Version.model_validate({"combine": {"kind": "weighted_mean"}, "models": [first, second]})
    (tally,) = count(weighted, np.array([[1.0], [0.0]]), [None, None], [slice(0, 1)])
    assert scores(tally) == [0.75]
