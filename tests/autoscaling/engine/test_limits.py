"""Limits of one decision."""

from __future__ import annotations

from typing import Any

from autoscaling.engine.hpa import Policy, ScalingRules
from autoscaling.engine.limits import limit, limit_without_behavior
from autoscaling.engine.rationale import AppliedLimits
from autoscaling.engine.state import INITIAL_STATE, ScaleEvent, State, with_scale_event
from tests.autoscaling.builders import cpu, hpa

NOW_S = 1000.0


def policy(kind: str, value: int, period_s: int = 60) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period_s}


def limited(
    wanted: int, current: int, *policies: dict[str, Any], state: State = INITIAL_STATE, **rules: Any
) -> AppliedLimits:
    side = {"policies": list(policies), **rules} if policies else rules
    made = hpa(cpu(), minReplicas=2, maxReplicas=50, behavior={"scaleUp": side, "scaleDown": side})
    assert made.behavior is not None
    return limit(made, made.behavior, state, wanted, current, NOW_S)


def test_without_a_behavior_replicas_at_most_double_but_4_are_always_allowed() -> None:
    rules = hpa(cpu(), minReplicas=2, maxReplicas=50)
    assert [limit_without_behavior(rules, 100, current).replicas for current in (1, 2, 3, 30)] == [4, 4, 6, 50]
    reasons = [limit_without_behavior(rules, wanted, 3).reason for wanted in (100, 1, 6)]
    assert reasons == ["ScaleUpLimit", "TooFewReplicas", "DesiredWithinRange"]


def test_the_default_policies_allow_4_or_double() -> None:
    assert [limited(40, current).replicas for current in (2, 4, 9)] == [6, 8, 18]
    assert limited(40, 9).reason == "ScaleUpLimit"


def test_default_behavior_does_not_limit_scaling_down() -> None:
    made = hpa(cpu(), minReplicas=2, behavior={})
    assert made.behavior is not None
    assert limit(made, made.behavior, INITIAL_STATE, 1, 40, NOW_S).replicas == 2


def test_select_policy_max_allows_the_largest_change_and_min_the_smallest() -> None:
    both = (policy("Pods", 4), policy("Percent", 10))
    assert (limited(40, 20, *both).replicas, limited(40, 20, *both, selectPolicy="Min").replicas) == (24, 22)
    assert (limited(2, 20, *both).replicas, limited(2, 20, *both, selectPolicy="Min").replicas) == (16, 18)


def test_disabled_direction_does_not_scale() -> None:
    assert limited(40, 20, selectPolicy="Disabled").replicas == 20
    assert limited(2, 20, selectPolicy="Disabled").reason == "ScaleDownLimit"


def test_percentage_is_rounded_so_that_it_allows_at_least_one_replica() -> None:
    assert limited(40, 3, policy("Percent", 1)).replicas == 4
    assert limited(2, 3, policy("Percent", 1)).replicas == 2


def test_policy_counts_the_changes_within_its_period_in_both_directions() -> None:
    state = State(scale_ups=(ScaleEvent(3, NOW_S - 59),), scale_downs=(ScaleEvent(1, NOW_S - 10),))
    assert limited(40, 12, policy("Pods", 4), state=state).replicas == 14
    assert limited(2, 12, policy("Pods", 4), state=state).replicas == 6


def test_policy_does_not_count_a_change_as_old_as_its_period() -> None:
    state = State(scale_ups=(ScaleEvent(3, NOW_S - 60),))
    assert limited(40, 12, policy("Pods", 4), state=state).replicas == 16


def test_each_policy_has_its_own_period() -> None:
    state = State(scale_ups=(ScaleEvent(6, NOW_S - 30),))
    policies = (policy("Pods", 4, 15), policy("Pods", 8, 60))
    assert limited(40, 16, *policies, state=state, selectPolicy="Min").replicas == 18
    assert limited(40, 16, *policies, state=state).replicas == 20


def test_limit_that_is_already_exceeded_does_not_revert_replicas() -> None:
    assert limited(40, 12, policy("Pods", 4), state=State(scale_ups=(ScaleEvent(9, NOW_S - 5),))).replicas == 12
    assert limited(2, 12, policy("Pods", 4), state=State(scale_downs=(ScaleEvent(9, NOW_S - 5),))).replicas == 12


def test_max_and_min_replicas_bound_the_policies() -> None:
    assert (limited(90, 48, policy("Pods", 9)).replicas, limited(90, 48, policy("Pods", 9)).reason) == (
        50,
        "TooManyReplicas",
    )
    assert (limited(0, 3, policy("Pods", 9)).replicas, limited(0, 3, policy("Pods", 9)).reason) == (2, "TooFewReplicas")


def test_event_older_than_all_periods_of_its_direction_is_overwritten() -> None:
    direction = ScalingRules(0.0, "Max", (Policy("Pods", 1, 60), Policy("Pods", 1, 15)))
    events = (ScaleEvent(1, 0.0), ScaleEvent(2, 40.0))
    assert with_scale_event(events, 3, 60.0, direction) == (*events, ScaleEvent(3, 60.0))
    assert with_scale_event(events, 3, 61.0, direction) == (ScaleEvent(3, 61.0), ScaleEvent(2, 40.0))
