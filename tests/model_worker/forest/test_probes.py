from __future__ import annotations

from array import array

import pytest

from model_worker.forest.probes import GROUP, groups
from tests.forests import FEATURES, TrainedForest


def test_rows_of_a_group_differ_only_in_its_columns(binary: TrainedForest) -> None:
    for group in groups(binary.path.read_bytes(), FEATURES):
        rows = array("d", group.rows)
        for column in set(range(FEATURES)) - set(group.columns):
            assert len({value.hex() for value in rows[column::FEATURES]}) == 1


def test_probes_of_a_model_are_reproducible(binary: TrainedForest) -> None:
    model = binary.path.read_bytes()
    assert groups(model, FEATURES) == groups(model, FEATURES)


@pytest.mark.timeout(15)  # it needs 2 s; it needed 20 s when each group copied all later rows
def test_probes_of_a_wide_model_are_made_fast() -> None:
    probes = groups(b"tree\n", 5_000)
    assert {len(group.rows) for group in probes} == {8 * GROUP * 5_000}
