"""How far one decision may go: policies, and min and max.

Source: horizontal.go, `convertDesiredReplicasWithRules`, `convertDesiredReplicasWithBehaviorRate`,
`calculateScaleUpLimitWithScalingRules`, `calculateScaleDownLimitWithBehaviors`
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaling.engine.go_arithmetic import ceil_int32, truncated_int32
from autoscaling.engine.hpa import Behavior, Direction, Hpa, Policy
from autoscaling.engine.rationale import Allowance, Limited
from autoscaling.engine.state import Event, State

_WITHIN = "DesiredWithinRange"


def limit_by_default(hpa: Hpa, wanted: int, current: int) -> Limited:
    """Without a behavior: at most double (but 4) each time, down at once."""
    fastest = max(2 * current, 4)
    most, reason = hpa.max_replicas, "TooManyReplicas"
    if most > fastest:
        most, reason = fastest, "ScaleUpLimit"
    if wanted < hpa.min_replicas:
        return Limited(wanted, current, None, (), hpa.min_replicas, hpa.min_replicas, "TooFewReplicas")
    if wanted > most:
        return Limited(wanted, current, None, (), most, most, reason)
    return Limited(wanted, current, None, (), None, wanted, _WITHIN)


def limit(hpa: Hpa, behavior: Behavior, state: State, wanted: int, current: int, now_s: float) -> Limited:
    """With a behavior: as far as the policies of the direction allow."""
    if wanted > current:
        return _limit_up(behavior.up, hpa.max_replicas, state, wanted, current, now_s)
    if wanted < current:
        return _limit_down(behavior.down, hpa.min_replicas, state, wanted, current, now_s)
    return Limited(wanted, current, None, (), None, wanted, _WITHIN)


def _limit_up(up: Direction, most: int, state: State, wanted: int, current: int, now_s: float) -> Limited:
    allowances = _allowances(up, state, current, now_s, _reach_up)
    widest = min if up.select == "Min" else max
    # Others may have scaled too: what is there already is never taken back by a limit.
    reach = max(current, widest((one.limit for one in allowances), default=current))
    bound, reason = (reach, "ScaleUpLimit") if most > reach else (most, "TooManyReplicas")
    if wanted > bound:
        return Limited(wanted, current, up.select, allowances, bound, bound, reason)
    return Limited(wanted, current, up.select, allowances, bound, wanted, _WITHIN)


def _limit_down(down: Direction, least: int, state: State, wanted: int, current: int, now_s: float) -> Limited:
    allowances = _allowances(down, state, current, now_s, _reach_down)
    widest = max if down.select == "Min" else min
    reach = min(current, widest((one.limit for one in allowances), default=current))
    bound, reason = (reach, "ScaleDownLimit") if least < reach else (least, "TooFewReplicas")
    if wanted < bound:
        return Limited(wanted, current, down.select, allowances, bound, bound, reason)
    return Limited(wanted, current, down.select, allowances, bound, wanted, _WITHIN)


def _allowances(
    direction: Direction, state: State, current: int, now_s: float, reach: Callable[[Policy, int], int]
) -> tuple[Allowance, ...]:
    """What each policy allows, by the rescales of both directions; none at all for a disabled direction."""
    found = []
    for policy in direction.policies if direction.select != "Disabled" else ():
        since_s = now_s - policy.period_s
        added, removed = _changed(state.ups, since_s), _changed(state.downs, since_s)
        start = current - added + removed
        found.append(Allowance(policy, added, removed, start, reach(policy, start)))
    return tuple(found)


def _changed(events: tuple[Event, ...], since_s: float) -> int:
    return sum(event[0] for event in events if event[1] > since_s)


def _reach_up(policy: Policy, start: int) -> int:
    if policy.type == "Pods":
        return start + policy.value
    # Rounded up: else a small number could never grow.
    return ceil_int32(float(start) * (1 + float(policy.value) / 100))


def _reach_down(policy: Policy, start: int) -> int:
    if policy.type == "Pods":
        return start - policy.value
    return truncated_int32(float(start) * (1 - float(policy.value) / 100))
