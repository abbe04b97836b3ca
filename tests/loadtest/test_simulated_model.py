from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from loadtest.simulated.model import Service, SimulatedReplica
from loadtest.simulated.service_times import Lognormal, Seconds


class Steady:
    mean_s = 2.0

    def draw(self, _rng: np.random.Generator, rows: int) -> Seconds:
        return np.full(rows, 2.0)


def _served(messages: Sequence[tuple[float, int]]) -> list[Service]:
    replica = SimulatedReplica(Steady(), np.random.default_rng(0))
    return [replica.serve(arrived_s, rows) for arrived_s, rows in messages]


def test_idle_replica_starts_at_once() -> None:
    assert _served([(1.0, 1), (9.0, 1)]) == [Service(1.0, 1.0, 3.0), Service(9.0, 9.0, 11.0)]


def test_message_takes_the_sum_of_the_times_of_its_rows() -> None:
    assert _served([(0.0, 3)]) == [Service(0.0, 0.0, 6.0)]


def test_message_waits_for_earlier_messages() -> None:
    assert _served([(0.0, 2), (1.0, 1), (1.5, 1)])[1:] == [Service(1.0, 4.0, 6.0), Service(1.5, 6.0, 8.0)]


def test_service_times_have_the_configured_median_and_mean() -> None:
    service = Lognormal(median_s=0.033, sigma=0.15)
    drawn_s = service.draw(np.random.default_rng(7), 200_000)
    assert np.median(drawn_s) == pytest.approx(0.033, rel=0.005)
    assert drawn_s.mean() == pytest.approx(service.mean_s, rel=0.005)
