"""A logged decision is not larger than docs/decisions-log.md says."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mesh.decision_id import new_id
from mesh.decisions.block import DecisionBlock, Rows
from supervisor.decisions.writer.parquet import log_files

COUNT, MODELS, FEATURES = 4000, 15, 80


def bytes_of_decision(candidates: int, *, has_votes: bool, has_features: bool) -> float:
    """The mean size of a decision in a file of the writer; its numbers are random, so no codec makes them smaller."""
    rng, now_us = np.random.default_rng(0), time.time_ns() // 1000
    votes = rng.random((MODELS, COUNT * candidates))
    rows = Rows("layout", FEATURES, rng.normal(size=(COUNT, FEATURES)).tobytes())
    block = DecisionBlock(
        "arena",
        COUNT,
        {"supervisor": "s", "version": "2026-11", "ensemble": "0123456789abcdef", "method": "GetOffer"},
        {
            "decision_id": [new_id() for _ in range(COUNT)],
            "time": [now_us + at for at in range(COUNT)],
            "player": [f"player-{number:06d}" for number in rng.integers(0, 10**6, COUNT).tolist()],
            "offers": [["offer-1"]] * COUNT,
            "total_ms": rng.gamma(4, 2, COUNT).tolist(),
        },
        [candidates] * COUNT,
        tuple(f"offer-{at}" for at in range(candidates)),
        scores=votes.mean(axis=0).tobytes(),
        prices=rng.random(candidates).tobytes(),
        models=MODELS if has_votes else 0,
        votes=votes.tobytes() if has_votes else None,
        rows=(rows,) if has_features else (),
    )
    return sum(len(file.content) for file in log_files([block], lambda: "name")) / COUNT


@pytest.mark.parametrize(
    ("candidates", "has_votes", "has_features", "size"),
    [(1, True, True, 900), (16, True, True, 3000), (16, False, True, 1000), (16, False, False, 400)],
)
def test_decision_is_not_larger_than_on_the_page(
    candidates: int, has_votes: bool, has_features: bool, size: int
) -> None:
    found = bytes_of_decision(candidates, has_votes=has_votes, has_features=has_features)
    assert 0.6 * size < found < size
