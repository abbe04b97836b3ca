"""The check that every engine gives the scores of LightGBM."""

from __future__ import annotations

from model_worker.forest import Forest
from tests.forests import Matrix, TrainedForest


def scores(forest: Forest, rows: Matrix) -> bytes:
    return forest.predict(rows.tobytes(), len(rows))


def check_scores(forest: Forest, trained: TrainedForest) -> None:
    """Asserts that scores equal plain LightGBM's to the last bit: of all rows together, of some, and of each alone."""
    expected = trained.scores(trained.rows).tobytes()
    size = len(expected) // len(trained.rows)

    assert scores(forest, trained.rows) == expected
    assert scores(forest, trained.rows[:3]) == expected[: 3 * size]
    one_by_one = [scores(forest, trained.rows[row : row + 1]) for row in range(len(trained.rows))]
    assert b"".join(one_by_one) == expected
