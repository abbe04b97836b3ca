"""Combining votes, compared with formulas in plain Python that share no code with it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.version import Combine, CombineKind
from supervisor.combine import Votes, combine

VOTE = st.floats(-1e6, 1e6)
KINDS: tuple[CombineKind, ...] = ("mean", "weighted_mean", "median", "trimmed_mean", "rank_mean", "vote")
WEIGHTS = [1.0, 2.5, 0.25, 4.0, 1.5, 3.0, 0.5]


def plain(rule: Combine, votes: Sequence[float], weights: Sequence[float]) -> float:
    """The score of one row by the textbook formula (all kinds except rank_mean)."""
    ordered = sorted(votes)
    match rule.kind:
        case "mean":
            return math.fsum(votes) / len(votes)
        case "weighted_mean":
            return math.fsum(v * w for v, w in zip(votes, weights, strict=True)) / math.fsum(weights)
        case "median":
            return statistics.median(votes)
        case "trimmed_mean":
            drop = math.floor(len(votes) * rule.trim)
            return statistics.fmean(ordered[drop : len(ordered) - drop])
        case "vote":
            return sum(v >= rule.threshold for v in votes) / len(votes)
    raise AssertionError(rule.kind)


def plain_ranks(votes: Sequence[float]) -> list[float]:
    """Mean ranks among `votes`, 0 (lowest) to 1 (highest)."""
    ordered, last = sorted(votes), max(1, len(votes) - 1)
    places = {vote: [place for place, other in enumerate(ordered) if other == vote] for vote in votes}
    return [statistics.fmean(places[vote]) / last for vote in votes]


@st.composite
def ballots(draw: st.DrawFn) -> Votes:
    models, rows = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    flat = draw(st.lists(VOTE | st.sampled_from([0.0, 0.5, 1.0]), min_size=models * rows, max_size=models * rows))
    return np.array(flat).reshape(models, rows)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rank_mean"])
@given(votes=ballots(), trim=st.sampled_from([0.0, 0.1, 0.25, 0.4]))
def test_every_kind_equals_its_formula(kind: CombineKind, votes: Votes, trim: float) -> None:
    rule, weights = Combine(kind=kind, trim=trim), WEIGHTS[: len(votes)]
    scores = combine(rule, votes, weights, [slice(0, votes.shape[1])])
    expected = [plain(rule, column.tolist(), weights) for column in votes.T]
    assert scores.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(votes=ballots())
def test_rank_mean_is_the_mean_rank_among_the_rows_of_a_request(votes: Votes) -> None:
    scores = combine(Combine(kind="rank_mean"), votes, WEIGHTS[: len(votes)], [slice(0, votes.shape[1])])
    ranks = [plain_ranks(row.tolist()) for row in votes]
    assert scores.tolist() == pytest.approx([statistics.fmean(column) for column in zip(*ranks, strict=True)])


def test_equal_votes_share_their_mean_rank() -> None:
    scores = combine(Combine(kind="rank_mean"), np.array([[5.0, 1.0, 5.0, 9.0]]), [1.0], [slice(0, 4)])
    assert scores.tolist() == [0.5, 0.0, 0.5, 1.0]


def test_single_row_has_the_lowest_rank() -> None:
    assert combine(Combine(kind="rank_mean"), np.array([[0.7]]), [1.0], [slice(0, 1)]).tolist() == [0.0]


def test_vote_at_the_threshold_counts() -> None:
    votes = np.array([[0.5], [0.49], [0.51], [0.0]])
    assert combine(Combine(kind="vote", threshold=0.5), votes, [1.0] * 4, [slice(0, 1)]).tolist() == [0.5]


def test_trimmed_mean_drops_the_same_number_at_both_ends() -> None:
    votes = np.array([[100.0], [1.0], [2.0], [3.0], [-100.0]])
    assert combine(Combine(kind="trimmed_mean", trim=0.2), votes, [1.0] * 5, [slice(0, 1)]).tolist() == [2.0]


@pytest.mark.parametrize(("models", "trim", "dropped"), [(30, 0.1, 3), (10, 0.3, 3), (15, 0.2, 3), (9, 0.1, 0)])
def test_trimmed_mean_rounds_the_number_of_dropped_votes_down(models: int, trim: float, dropped: int) -> None:
    votes = np.array([[float(2**vote)] for vote in range(models)])
    expected = statistics.fmean(2.0**vote for vote in range(dropped, models - dropped))
    score = combine(Combine(kind="trimmed_mean", trim=trim), votes, [1.0] * models, [slice(0, 1)])
    assert score.tolist() == [expected]


@pytest.mark.parametrize("kind", KINDS)
@given(votes=ballots(), data=st.data())
def test_request_has_the_same_bits_alone_and_in_a_batch(
    kind: CombineKind,
    votes: Votes,
    data: st.DataObject,
) -> None:
    rule, weights = Combine(kind=kind, trim=0.25), WEIGHTS[: len(votes)]
    cut = data.draw(st.integers(0, votes.shape[1]))
    requests = [part for part in (slice(0, cut), slice(cut, votes.shape[1])) if part.stop > part.start]
    together = combine(rule, votes, weights, requests)
    for request in requests:
        own = votes[:, request]
        alone = combine(rule, np.ascontiguousarray(own), weights, [slice(0, own.shape[1])])
        assert together[request].tobytes() == alone.tobytes()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rank_mean"])
def test_row_has_the_same_bits_in_a_large_batch(kind: CombineKind) -> None:
    # 600 rows: enough for numpy to sum in another order than for one row
    votes = np.random.default_rng(3).normal(size=(15, 600))
    rule, weights = Combine(kind=kind, trim=0.2), [0.1 * (model + 1) for model in range(15)]
    together = combine(rule, votes, weights, [slice(row, row + 1) for row in range(600)])
    alone = [combine(rule, votes[:, row : row + 1].copy(), weights, [slice(0, 1)])[0] for row in range(600)]
    assert together.tolist() == alone


@given(votes=ballots())
def test_combining_does_not_change_the_votes(votes: Votes) -> None:
    before = votes.copy()
    for kind in KINDS:
        combine(Combine(kind=kind), votes, WEIGHTS[: len(votes)], [slice(0, votes.shape[1])])
    assert votes.tobytes() == before.tobytes()
