"""The controller's state of one HPA from tick to tick; it is lost when the controller restarts.

Source: horizontal.go, `recommendations`, `scaleUpEvents`, `scaleDownEvents`, and the HPA's own status
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from autoscaling.engine.hpa import ScalingRules
from autoscaling.engine.rationale import Recommendation


class ScaleEvent(NamedTuple):
    """A rescale by `change` replicas, which is never negative; the next event overwrites an outdated one."""

    change: int
    at_s: float
    outdated: bool = False


class Condition(NamedTuple):
    """One condition of the HPA's status."""

    type: str
    status: str
    reason: str


class State(NamedTuple):
    """The state of one HPA; it is empty before the first reconcile."""

    recommendations: tuple[Recommendation, ...] = ()
    scale_ups: tuple[ScaleEvent, ...] = ()
    scale_downs: tuple[ScaleEvent, ...] = ()
    conditions: tuple[Condition, ...] = ()
    desired_replicas: int = 0


INITIAL_STATE = State()


def with_recommendation(
    recommendations: tuple[Recommendation, ...], new: Recommendation, slot: int | None
) -> tuple[Recommendation, ...]:
    """Returns `recommendations` with `new` at index `slot`, or at the end if `slot` is None."""
    return (*recommendations, new) if slot is None else (*recommendations[:slot], new, *recommendations[slot + 1 :])


def with_scale_event(
    events: tuple[ScaleEvent, ...], change: int, now_s: float, rules: ScalingRules
) -> tuple[ScaleEvent, ...]:
    """Returns `events` with a rescale by `change`; it replaces an event that is older than all periods of `rules`.

    Source: `storeScaleEvent`, `markScaleEventsOutdated`
    """
    cutoff_s = now_s - rules.longest_period_s
    marked = [event._replace(outdated=event.outdated or event.at_s < cutoff_s) for event in events]
    slot = max((place for place, event in enumerate(marked) if event.outdated), default=len(marked))
    marked[slot : slot + 1] = [ScaleEvent(change, now_s)]
    return tuple(marked)


def with_conditions(conditions: Iterable[Condition], new: Iterable[Condition]) -> tuple[Condition, ...]:
    """Returns `conditions` updated by `new`: each replaces the condition of its type, or is appended."""
    by_type = {one[0]: one for one in conditions}
    for one in new:
        by_type[one[0]] = one
    return tuple(by_type.values())
