"""Limits of one decision: scaling policies, minReplicas and maxReplicas.

Source: horizontal.go, `convertDesiredReplicasWithRules`, `convertDesiredReplicasWithBehaviorRate`,
`calculateScaleUpLimitWithScalingRules`, `calculateScaleDownLimitWithBehaviors`
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaling.engine.go_arithmetic import ceil_int32, truncated_int32
from autoscaling.engine.hpa import Behavior, Hpa, Policy, ScalingRules
from autoscaling.engine.rationale import AppliedLimits, PolicyLimit
from autoscaling.engine.state import ScaleEvent, State

_WITHIN = "DesiredWithinRange"


def limit_without_behavior(hpa: Hpa, wanted: int, current: int) -> AppliedLimits:
    """Limits an HPA without a behavior: up at most to double or to 4, down without a limit."""
    fastest = max(2 * current, 4)
    upper, reason = hpa.max_replicas, "TooManyReplicas"
    if upper > fastest:
        upper, reason = fastest, "ScaleUpLimit"
    if wanted < hpa.min_replicas:
        return AppliedLimits(wanted, current, None, (), hpa.min_replicas, hpa.min_replicas, "TooFewReplicas")
    if wanted > upper:
        return AppliedLimits(wanted, current, None, (), upper, upper, reason)
    return AppliedLimits(wanted, current, None, (), None, wanted, _WITHIN)


def limit(hpa: Hpa, behavior: Behavior, state: State, wanted: int, current: int, now_s: float) -> AppliedLimits:
    """Limits an HPA with a behavior: applies the policies of the direction."""
    if wanted > current:
        return _limit_up(behavior.up, hpa.max_replicas, state, wanted, current, now_s)
    if wanted < current:
        return _limit_down(behavior.down, hpa.min_replicas, state, wanted, current, now_s)
    return AppliedLimits(wanted, current, None, (), None, wanted, _WITHIN)


def _limit_up(
    up: ScalingRules, max_replicas: int, state: State, wanted: int, current: int, now_s: float
) -> AppliedLimits:
    policies = _policy_limits(up, state, current, now_s, _highest)
    select = min if up.select == "Min" else max
    # Others may have scaled up too: a limit never removes existing replicas.
    allowed = max(current, select((one.limit for one in policies), default=current))
    bound, reason = (allowed, "ScaleUpLimit") if max_replicas > allowed else (max_replicas, "TooManyReplicas")
    if wanted > bound:
        return AppliedLimits(wanted, current, up.select, policies, bound, bound, reason)
    return AppliedLimits(wanted, current, up.select, policies, bound, wanted, _WITHIN)


def _limit_down(
    down: ScalingRules, min_replicas: int, state: State, wanted: int, current: int, now_s: float
) -> AppliedLimits:
    policies = _policy_limits(down, state, current, now_s, _lowest)
    select = max if down.select == "Min" else min
    allowed = min(current, select((one.limit for one in policies), default=current))
    bound, reason = (allowed, "ScaleDownLimit") if min_replicas < allowed else (min_replicas, "TooFewReplicas")
    if wanted < bound:
        return AppliedLimits(wanted, current, down.select, policies, bound, bound, reason)
    return AppliedLimits(wanted, current, down.select, policies, bound, wanted, _WITHIN)


def _policy_limits(
    rules: ScalingRules, state: State, current: int, now_s: float, limit_of: Callable[[Policy, int], int]
) -> tuple[PolicyLimit, ...]:
    """The limit of each policy; it counts the rescales of both directions. A disabled direction has no limits."""
    found = []
    for policy in rules.policies if rules.select != "Disabled" else ():
        since_s = now_s - policy.period_s
        added, removed = _changed(state.scale_ups, since_s), _changed(state.scale_downs, since_s)
        start = current - added + removed
        found.append(PolicyLimit(policy, added, removed, start, limit_of(policy, start)))
    return tuple(found)


def _changed(events: tuple[ScaleEvent, ...], since_s: float) -> int:
    return sum(event[0] for event in events if event[1] > since_s)


def _highest(policy: Policy, start: int) -> int:
    if policy.type == "Pods":
        return start + policy.value
    # Rounded up: otherwise a small number of replicas could never grow.
    return ceil_int32(float(start) * (1 + float(policy.value) / 100))


def _lowest(policy: Policy, start: int) -> int:
    if policy.type == "Pods":
        return start - policy.value
    return truncated_int32(float(start) * (1 - float(policy.value) / 100))
