"""Blocks become tables of the log's schemas."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.decisions.block import DecisionBlock
from mesh.decisions.schema import DECISION_SCHEMA, OUTCOME_SCHEMA
from supervisor.decisions.writer.encoding import decision_table, outcome_table
from tests.supervisor.decisions.writer.blocks import NOON, Shape, comparable, draw, micros, outcomes

SHAPES = st.builds(
    Shape,
    requests=st.integers(1, 12),
    offers=st.integers(1, 6),
    models=st.integers(1, 4),
    widths=st.lists(st.integers(1, 4), max_size=3).map(tuple),
    picks=st.booleans(),
    scores=st.booleans(),
    prices=st.booleans(),
    votes=st.booleans(),
    kept=st.booleans(),
    seed=st.integers(0, 2**32),
)


@given(SHAPES)
def test_table_has_the_values_of_each_candidate(shape: Shape) -> None:
    drawn = draw(shape)
    table = decision_table(drawn.block())
    assert table.schema.equals(DECISION_SCHEMA, check_metadata=True)
    table.validate(full=True)
    assert comparable(table.to_pylist()) == drawn.expected()


def test_block_without_candidates_has_null_in_their_columns() -> None:
    block = DecisionBlock("arena", 2, {"reason": "holdout"}, {"time": [micros(NOON)] * 2})
    rows = decision_table(block).to_pylist()
    assert [row["reason"] for row in rows] == ["holdout", "holdout"]
    assert all(row[name] is None for row in rows for name in ("candidates", "scores", "revenues", "votes", "rows"))


def test_game_without_offers_has_scores_and_no_candidates() -> None:
    drawn = draw(Shape(offers=1, prices=False, picks=False))
    rows = decision_table(dataclasses.replace(drawn.block(), offers=(), counts=[1] * 5, scores=bytes(40), votes=None))
    assert rows["candidates"].null_count == 5
    assert rows["scores"].to_pylist() == [[0.0]] * 5


def test_block_whose_parts_do_not_fit_is_refused() -> None:
    block = draw(Shape()).block()
    for broken in ({"counts": [1]}, {"scores": bytes(8)}, {"votes": bytes(24)}, {"columns": {"time": [1]}}):
        with pytest.raises(ValueError, match=r"values|reshape|length"):
            decision_table(dataclasses.replace(block, **broken))


def test_outcomes_have_their_schema() -> None:
    table = outcome_table(outcomes(3))
    assert table.schema.equals(OUTCOME_SCHEMA, check_metadata=True)
    assert table["received"].to_pylist() == [NOON] * 3
    assert table["decision_id"].null_count == 3
