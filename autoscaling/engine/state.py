"""What the controller carries from tick to tick; it is lost when the controller restarts.

Source: horizontal.go, `recommendations`, `scaleUpEvents`, `scaleDownEvents`, and the HPA's own status
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from autoscaling.engine.hpa import Direction
from autoscaling.engine.rationale import Recommended


class Event(NamedTuple):
    """A rescale by `change` replicas, never negative; an outdated one is overwritten by the next."""

    change: int
    at_s: float
    outdated: bool = False


class Condition(NamedTuple):
    """One condition of the HPA's status."""

    type: str
    status: str
    reason: str


class State(NamedTuple):
    """One HPA's memory; empty for one that the controller has never looked at."""

    recommendations: tuple[Recommended, ...] = ()
    ups: tuple[Event, ...] = ()
    downs: tuple[Event, ...] = ()
    conditions: tuple[Condition, ...] = ()
    desired_replicas: int = 0


NEW = State()


def recorded(kept: tuple[Recommended, ...], new: Recommended, slot: int | None) -> tuple[Recommended, ...]:
    """`kept` with `new` in the place of an old one, or at the end."""
    return (*kept, new) if slot is None else (*kept[:slot], new, *kept[slot + 1 :])


def happened(events: tuple[Event, ...], change: int, now_s: float, direction: Direction) -> tuple[Event, ...]:
    """`events` with a rescale by `change`, in the place of one that is older than all of `direction`'s periods.

    Source: `storeScaleEvent`, `markScaleEventsOutdated`
    """
    cutoff_s = now_s - direction.longest_period_s
    marked = [event._replace(outdated=event.outdated or event.at_s < cutoff_s) for event in events]
    slot = max((place for place, event in enumerate(marked) if event.outdated), default=len(marked))
    marked[slot : slot + 1] = [Event(change, now_s)]
    return tuple(marked)


def with_conditions(conditions: Iterable[Condition], new: Iterable[Condition]) -> tuple[Condition, ...]:
    """`conditions` with each of `new` in the place of the one of its type, or at the end."""
    by_type = {one[0]: one for one in conditions}
    for one in new:
        by_type[one[0]] = one
    return tuple(by_type.values())
