"""How far one decision may go."""

from __future__ import annotations

from typing import Any

from autoscaling.engine.hpa import Direction, Policy
from autoscaling.engine.limits import limit, limit_by_default
from autoscaling.engine.rationale import Limited
from autoscaling.engine.state import NEW, Event, State, happened
from tests.autoscaling.builders import cpu, hpa

NOW_S = 1000.0


def policy(kind: str, value: int, period_s: int = 60) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period_s}


def limited(wanted: int, current: int, *policies: dict[str, Any], state: State = NEW, **rules: Any) -> Limited:
    side = {"policies": list(policies), **rules} if policies else rules
    made = hpa(cpu(), minReplicas=2, maxReplicas=50, behavior={"scaleUp": side, "scaleDown": side})
    assert made.behavior is not None
    return limit(made, made.behavior, state, wanted, current, NOW_S)


def test_without_a_behavior_it_at_most_doubles_each_time_but_4_are_always_allowed() -> None:
    rules = hpa(cpu(), minReplicas=2, maxReplicas=50)
    assert [limit_by_default(rules, 100, current).replicas for current in (1, 2, 3, 30)] == [4, 4, 6, 50]
    reasons = [limit_by_default(rules, wanted, 3).reason for wanted in (100, 1, 6)]
    assert reasons == ["ScaleUpLimit", "TooFewReplicas", "DesiredWithinRange"]


def test_the_default_policies_allow_4_or_double() -> None:
    assert [limited(40, current).replicas for current in (2, 4, 9)] == [6, 8, 18]
    assert limited(40, 9).reason == "ScaleUpLimit"


def test_by_default_down_goes_at_once() -> None:
    made = hpa(cpu(), minReplicas=2, behavior={})
    assert made.behavior is not None
    assert limit(made, made.behavior, NEW, 1, 40, NOW_S).replicas == 2


def test_max_takes_the_policy_that_changes_most_and_min_the_one_that_changes_least() -> None:
    both = (policy("Pods", 4), policy("Percent", 10))
    assert (limited(40, 20, *both).replicas, limited(40, 20, *both, selectPolicy="Min").replicas) == (24, 22)
    assert (limited(2, 20, *both).replicas, limited(2, 20, *both, selectPolicy="Min").replicas) == (16, 18)


def test_a_disabled_direction_stays() -> None:
    assert limited(40, 20, selectPolicy="Disabled").replicas == 20
    assert limited(2, 20, selectPolicy="Disabled").reason == "ScaleDownLimit"


def test_a_percentage_is_rounded_so_that_it_always_changes_something() -> None:
    assert limited(40, 3, policy("Percent", 1)).replicas == 4
    assert limited(2, 3, policy("Percent", 1)).replicas == 2


def test_what_changed_within_the_period_is_counted_in_both_directions() -> None:
    state = State(ups=(Event(3, NOW_S - 59),), downs=(Event(1, NOW_S - 10),))
    assert limited(40, 12, policy("Pods", 4), state=state).replicas == 14
    assert limited(2, 12, policy("Pods", 4), state=state).replicas == 6


def test_a_change_as_old_as_the_period_counts_no_longer() -> None:
    state = State(ups=(Event(3, NOW_S - 60),))
    assert limited(40, 12, policy("Pods", 4), state=state).replicas == 16


def test_each_policy_has_its_own_period() -> None:
    state = State(ups=(Event(6, NOW_S - 30),))
    policies = (policy("Pods", 4, 15), policy("Pods", 8, 60))
    assert limited(40, 16, *policies, state=state, selectPolicy="Min").replicas == 18
    assert limited(40, 16, *policies, state=state).replicas == 20


def test_a_limit_that_is_already_passed_takes_nothing_back() -> None:
    assert limited(40, 12, policy("Pods", 4), state=State(ups=(Event(9, NOW_S - 5),))).replicas == 12
    assert limited(2, 12, policy("Pods", 4), state=State(downs=(Event(9, NOW_S - 5),))).replicas == 12


def test_max_and_min_bound_what_the_policies_allow() -> None:
    assert (limited(90, 48, policy("Pods", 9)).replicas, limited(90, 48, policy("Pods", 9)).reason) == (
        50,
        "TooManyReplicas",
    )
    assert (limited(0, 3, policy("Pods", 9)).replicas, limited(0, 3, policy("Pods", 9)).reason) == (2, "TooFewReplicas")


def test_an_event_older_than_its_directions_periods_is_overwritten() -> None:
    direction = Direction(0.0, "Max", (Policy("Pods", 1, 60), Policy("Pods", 1, 15)))
    events = (Event(1, 0.0), Event(2, 40.0))
    assert happened(events, 3, 60.0, direction) == (*events, Event(3, 60.0))
    assert happened(events, 3, 61.0, direction) == (Event(3, 61.0), Event(2, 40.0))
