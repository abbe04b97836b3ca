"""Stabilisation: selects a recommendation of the recent windows.

Source: horizontal.go, `stabilizeRecommendation` and `stabilizeRecommendationWithBehaviors`
"""

from __future__ import annotations

from autoscaling.engine.hpa import Behavior
from autoscaling.engine.rationale import Recommendation, Stabilization
from autoscaling.engine.state import with_recommendation

Recommendations = tuple[Recommendation, ...]


def stabilize_without_behavior(
    recommendations: Recommendations, proposed: int, window_s: float, now_s: float
) -> tuple[Stabilization, Recommendations]:
    """Selects the highest recommendation of the controller's window. Also returns the new recommendations."""
    cutoff_s = now_s - window_s
    recent = [one for one in recommendations if not one[1] < cutoff_s]
    highest = max(recent, default=None)
    slot = None if len(recent) == len(recommendations) else _last_before(recommendations, cutoff_s)
    replicas = proposed if highest is None else max(proposed, highest.replicas)
    stabilization = Stabilization(proposed, None, None, highest, replicas)
    return stabilization, with_recommendation(recommendations, Recommendation(proposed, now_s), slot)


def stabilize(
    recommendations: Recommendations, proposed: int, current: int, behavior: Behavior, now_s: float
) -> tuple[Stabilization, Recommendations]:
    """Scales up at most to the lowest recommendation of the scale-up window, and down at most to the highest of the
    scale-down window. Also returns the new recommendations.
    """
    up_cutoff_s, down_cutoff_s = now_s - behavior.up.window_s, now_s - behavior.down.window_s
    lowest = min([one for one in recommendations if one[1] > up_cutoff_s], default=None)
    highest = max([one for one in recommendations if one[1] > down_cutoff_s], default=None)
    lower = proposed if lowest is None else min(proposed, lowest.replicas)
    upper = proposed if highest is None else max(proposed, highest.replicas)
    replicas = min(max(current, lower), upper)
    slot = _last_before(recommendations, min(up_cutoff_s, down_cutoff_s))
    stabilization = Stabilization(proposed, current, lowest, highest, replicas)
    return stabilization, with_recommendation(recommendations, Recommendation(proposed, now_s), slot)


def _last_before(recommendations: Recommendations, cutoff_s: float) -> int | None:
    for place in range(len(recommendations) - 1, -1, -1):
        if recommendations[place][1] < cutoff_s:
            return place
    return None
