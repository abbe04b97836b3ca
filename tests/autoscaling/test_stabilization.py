"""Which recent recommendation is followed."""

from __future__ import annotations

from autoscaling.engine.hpa import Behavior, Direction
from autoscaling.engine.rationale import Recommended
from autoscaling.engine.stabilization import Kept, stabilize, stabilize_down


def kept(**at_s: int) -> Kept:
    """`t15=8`: 8 were recommended at 15 s."""
    return tuple(Recommended(replicas, float(time.removeprefix("t"))) for time, replicas in at_s.items())


def windows(up_s: float, down_s: float) -> Behavior:
    return Behavior(Direction(up_s, "Max", ()), Direction(down_s, "Max", ()))


def test_without_a_behavior_the_highest_of_the_window_is_followed() -> None:
    assert stabilize_down(kept(t0=9, t15=7), 5, 300.0, 30.0)[0].replicas == 9
    assert stabilize_down(kept(t0=9, t15=7), 12, 300.0, 30.0)[0].replicas == 12


def test_without_a_behavior_a_recommendation_as_old_as_the_window_still_counts() -> None:
    assert stabilize_down(kept(t0=9), 5, 300.0, 300.0)[0].replicas == 9
    assert stabilize_down(kept(t0=9), 5, 300.0, 300.5)[0].replicas == 5


def test_with_a_behavior_it_does_not() -> None:
    assert stabilize(kept(t0=9), 5, 9, windows(0, 300), 299.5)[0].replicas == 9
    assert stabilize(kept(t0=9), 5, 9, windows(0, 300), 300.0)[0].replicas == 5


def test_up_goes_only_as_far_as_the_lowest_of_its_window() -> None:
    assert stabilize(kept(t0=6, t15=9), 12, 5, windows(60, 0), 30.0)[0].replicas == 6


def test_up_never_goes_down_for_a_low_recommendation_of_its_window() -> None:
    assert stabilize(kept(t0=2, t15=9), 12, 5, windows(60, 0), 30.0)[0].replicas == 5


def test_a_window_of_0_holds_nothing() -> None:
    assert stabilize(kept(t0=9, t30=1), 5, 3, windows(0, 0), 30.0)[0].replicas == 5
    assert stabilize(kept(t0=1, t30=9), 5, 7, windows(0, 0), 30.0)[0].replicas == 5


def test_the_last_old_recommendation_is_overwritten_with_the_unstabilised_one() -> None:
    _, now = stabilize_down(kept(t0=9, t15=7, t390=3), 5, 300.0, 400.0)
    assert now == kept(t0=9, t400=5, t390=3)
    _, now = stabilize(kept(t0=9, t15=7, t390=3), 5, 3, windows(10, 300), 400.0)
    assert now == kept(t0=9, t400=5, t390=3)


def test_only_what_is_older_than_both_windows_is_overwritten() -> None:
    _, now = stabilize(kept(t300=9), 5, 3, windows(10, 300), 400.0)
    assert now == kept(t300=9, t400=5)
    _, now = stabilize(kept(t300=9), 5, 3, windows(10, 100), 400.0)
    assert now == kept(t300=9, t400=5)
