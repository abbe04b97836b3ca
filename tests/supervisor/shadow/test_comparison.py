"""Comparisons of shadows: orders, best candidates and distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.shadow.comparison import Distribution, rank_correlations, ranks, same_best
from supervisor.shadow.metrics import SCORE_EDGES
from tests.supervisor.shadow.spearman import mean_ranks, spearman

KEYS = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0]), min_size=6, max_size=6)


@given(st.lists(KEYS, min_size=1, max_size=5))
def test_ranks_share_the_mean_of_equal_keys(keys: list[list[float]]) -> None:
    matrix = np.array(keys)
    assert ranks(matrix).tolist() == [mean_ranks(row) for row in keys]


@given(st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=5))
def test_rank_correlations_are_spearmans(pairs: list[tuple[list[float], list[float]]]) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    for found, one, other in zip(rank_correlations(first, second), first, second, strict=True):
        if len(set(one)) == 1 or len(set(other)) == 1:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(spearman(one.tolist(), other.tolist()), abs=1e-12)


def test_first_of_equal_candidates_is_the_best() -> None:
    assert same_best(np.array([[1.0, 1.0, 0.0], [0.0, 3.0, 2.0]]), np.array([[2.0, 1.0, 2.0], [0.0, 1.0, 5.0]])) == 1


def test_offers_without_a_price_have_equal_ranks() -> None:
    assert ranks(np.array([[-np.inf, 1.0, -np.inf]])).tolist() == [[0.5, 2.0, 0.5]]


def test_distribution_counts_values_up_to_each_edge_and_ignores_nan() -> None:
    distribution = Distribution((0.0, 1.0))
    distribution.add(np.array([-1.0, 0.0, 0.5, 1.0, 1.5, np.nan]))
    assert distribution.counts.tolist() == [2, 2, 1]
    assert distribution.total == 2.0


def test_edges_of_scores_ascend() -> None:
    assert list(SCORE_EDGES) == sorted(set(SCORE_EDGES))
