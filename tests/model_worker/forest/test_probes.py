from __future__ import annotations

from array import array

import pytest

from model_worker.forest.probes import GROUP, groups
from tests.forests import FEATURES, TrainedForest


def test_the_rows_of_a_group_differ_in_its_columns_only(binary: TrainedForest) -> None:
    for group in groups(binary.path.read_bytes(), FEATURES):
        rows = array("d", group.rows)
        for column in set(range(FEATURES)) - set(group.columns):
            assert len({value.hex() for value in rows[column::FEATURES]}) == 1


def test_a_model_has_the_same_probes_each_time(binary: TrainedForest) -> None:
    model = binary.path.read_bytes()
    assert groups(model, FEATURES) == groups(model, FEATURES)


@pytest.mark.timeout(15)  # 2 s of work; it was 20 when each group copied all rows behind it
def test_a_wide_model_has_its_probes_soon() -> None:
    probes = groups(b"tree\n", 5_000)
    assert {len(group.rows) for group in probes} == {8 * GROUP * 5_000}
