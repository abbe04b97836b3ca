"""Stabilisation by recent recommendations."""

from __future__ import annotations

from autoscaling.engine.hpa import Behavior, ScalingRules
from autoscaling.engine.rationale import Recommendation
from autoscaling.engine.stabilization import Recommendations, stabilize, stabilize_without_behavior


def recommended(**at_s: int) -> Recommendations:
    """Returns recommendations; `t15=8` means 8 replicas at 15 s."""
    return tuple(Recommendation(replicas, float(time.removeprefix("t"))) for time, replicas in at_s.items())


def windows(up_s: float, down_s: float) -> Behavior:
    return Behavior(ScalingRules(up_s, "Max", ()), ScalingRules(down_s, "Max", ()))


def test_without_a_behavior_the_highest_recommendation_of_the_window_counts() -> None:
    assert stabilize_without_behavior(recommended(t0=9, t15=7), 5, 300.0, 30.0)[0].replicas == 9
    assert stabilize_without_behavior(recommended(t0=9, t15=7), 12, 300.0, 30.0)[0].replicas == 12


def test_without_a_behavior_a_recommendation_as_old_as_the_window_counts() -> None:
    assert stabilize_without_behavior(recommended(t0=9), 5, 300.0, 300.0)[0].replicas == 9
    assert stabilize_without_behavior(recommended(t0=9), 5, 300.0, 300.5)[0].replicas == 5


def test_with_a_behavior_a_recommendation_as_old_as_the_window_does_not_count() -> None:
    assert stabilize(recommended(t0=9), 5, 9, windows(0, 300), 299.5)[0].replicas == 9
    assert stabilize(recommended(t0=9), 5, 9, windows(0, 300), 300.0)[0].replicas == 5


def test_scaling_up_stops_at_the_lowest_recommendation_of_its_window() -> None:
    assert stabilize(recommended(t0=6, t15=9), 12, 5, windows(60, 0), 30.0)[0].replicas == 6


def test_low_recommendation_of_the_scale_up_window_never_scales_down() -> None:
    assert stabilize(recommended(t0=2, t15=9), 12, 5, windows(60, 0), 30.0)[0].replicas == 5


def test_window_of_0_has_no_recommendations() -> None:
    assert stabilize(recommended(t0=9, t30=1), 5, 3, windows(0, 0), 30.0)[0].replicas == 5
    assert stabilize(recommended(t0=1, t30=9), 5, 7, windows(0, 0), 30.0)[0].replicas == 5


def test_last_old_recommendation_is_overwritten_with_the_unstabilised_proposal() -> None:
    _, now = stabilize_without_behavior(recommended(t0=9, t15=7, t390=3), 5, 300.0, 400.0)
    assert now == recommended(t0=9, t400=5, t390=3)
    _, now = stabilize(recommended(t0=9, t15=7, t390=3), 5, 3, windows(10, 300), 400.0)
    assert now == recommended(t0=9, t400=5, t390=3)


def test_only_a_recommendation_older_than_both_windows_is_overwritten() -> None:
    _, now = stabilize(recommended(t300=9), 5, 3, windows(10, 300), 400.0)
    assert now == recommended(t300=9, t400=5)
    _, now = stabilize(recommended(t300=9), 5, 3, windows(10, 100), 400.0)
    assert now == recommended(t300=9, t400=5)
