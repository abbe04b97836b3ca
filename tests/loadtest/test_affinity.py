from __future__ import annotations

import pytest

from loadtest.affinity import AFFINITY, ROUND_ROBIN
from loadtest.affinity.command import Reads, reads_in, report_of

METRICS = """# HELP mesh_feature_read_keys players per read
# TYPE mesh_feature_read_keys histogram
mesh_feature_read_keys_bucket{game="g",le="+Inf"} 3.0
mesh_feature_read_keys_count{game="g"} 3.0
mesh_feature_read_keys_sum{game="g"} 12.0
"""


def test_reads_of_the_store_and_their_players_come_from_the_metrics() -> None:
    assert reads_in(METRICS) == (3.0, 12.0)


def test_supervisor_that_has_read_nothing_has_no_reads() -> None:
    assert reads_in("") == (0.0, 0.0)


@pytest.mark.parametrize(("players", "is_met"), [(40.0, True), (41.0, False)])
def test_aim_is_a_fall_of_the_players_that_are_read(players: float, is_met: bool) -> None:
    found = [Reads(ROUND_ROBIN, 90.0, 100.0, {"ensemble": 9}), Reads(AFFINITY, 30.0, players, {"ensemble": 9})]
    (aim,) = report_of(found, 10.0, "a machine").aims
    assert aim.met is is_met
    assert aim.measured == pytest.approx(1 - players / 100)
