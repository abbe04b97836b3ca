from __future__ import annotations

import pytest

from mesh.dealing import GRAIN_ALONE_S, GRAIN_S, MESSAGE_CPU_S, best_messages, grain_rows


@pytest.mark.parametrize(("models", "expected"), [(1, 20), (4, 10), (100, 2), (10_000, 1)])
def test_messages_minimize_the_time_of_the_loop_and_of_a_replica(models: int, expected: int) -> None:
    work_s = 400 * MESSAGE_CPU_S
    times_s = {count: models * MESSAGE_CPU_S * count + work_s / count for count in range(1, 100)}
    assert min(times_s, key=times_s.__getitem__) == expected
    assert best_messages(work_s, models) == expected


def test_grain_is_at_least_one_row_and_larger_if_no_other_replica_shares_the_work() -> None:
    row_s = 0.0005
    assert (grain_rows(row_s, is_alone=False), grain_rows(row_s, is_alone=True)) == (GRAIN_S / row_s, 100)
    assert grain_rows(2 * GRAIN_ALONE_S, is_alone=True) == 1
