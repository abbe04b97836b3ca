"""Which of the recent recommendations is followed.

Source: horizontal.go, `stabilizeRecommendation` and `stabilizeRecommendationWithBehaviors`
"""

from __future__ import annotations

from autoscaling.engine.hpa import Behavior
from autoscaling.engine.rationale import Recommended, Stabilized
from autoscaling.engine.state import recorded

Kept = tuple[Recommended, ...]


def stabilize_down(kept: Kept, proposed: int, window_s: float, now_s: float) -> tuple[Stabilized, Kept]:
    """Without a behavior: the highest of the controller's window. The second is what is kept now."""
    cutoff_s = now_s - window_s
    recent = [one for one in kept if not one[1] < cutoff_s]
    highest = max(recent, default=None)
    slot = None if len(recent) == len(kept) else _last_before(kept, cutoff_s)
    replicas = proposed if highest is None else max(proposed, highest.replicas)
    stabilized = Stabilized(proposed, None, None, highest, replicas)
    return stabilized, recorded(kept, Recommended(proposed, now_s), slot)


def stabilize(kept: Kept, proposed: int, current: int, behavior: Behavior, now_s: float) -> tuple[Stabilized, Kept]:
    """With a behavior: no further up than the lowest of one window, nor down than the highest of the other."""
    up_cutoff_s, down_cutoff_s = now_s - behavior.up.window_s, now_s - behavior.down.window_s
    lowest = min([one for one in kept if one[1] > up_cutoff_s], default=None)
    highest = max([one for one in kept if one[1] > down_cutoff_s], default=None)
    least = proposed if lowest is None else min(proposed, lowest.replicas)
    most = proposed if highest is None else max(proposed, highest.replicas)
    replicas = min(max(current, least), most)
    slot = _last_before(kept, min(up_cutoff_s, down_cutoff_s))
    stabilized = Stabilized(proposed, current, lowest, highest, replicas)
    return stabilized, recorded(kept, Recommended(proposed, now_s), slot)


def _last_before(kept: Kept, cutoff_s: float) -> int | None:
    for place in range(len(kept) - 1, -1, -1):
        if kept[place][1] < cutoff_s:
            return place
    return None
