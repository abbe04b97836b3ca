"""The ways through one reconcile."""

from __future__ import annotations

import copy

import pytest

from autoscaling.engine.observation import Failed
from autoscaling.engine.reconciliation import Decision
from tests.autoscaling.builders import cpu, decide, external, hpa, pods, samples, seen


def conditions(decision: Decision) -> dict[str, str]:
    return {one.type: f"{one.status} {one.reason}" for one in decision.conditions}


def test_a_scale_of_0_with_a_minimum_above_it_is_left_alone() -> None:
    found = decide(hpa(cpu()), seen(0, samples(1), of=pods(1)))
    assert (found.replicas, found.rescaled) == (0, False)
    assert conditions(found) == {"AbleToScale": "True SucceededGetScale", "ScalingActive": "False ScalingDisabled"}


@pytest.mark.parametrize(("current", "replicas"), [(12, 10), (1, 3)])
def test_outside_min_and_max_it_is_corrected_at_once_without_metrics(current: int, replicas: int) -> None:
    behavior = {"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": {"selectPolicy": "Disabled"}}
    rules = hpa(cpu(), minReplicas=3, maxReplicas=10, behavior=behavior)
    found = decide(rules, seen(current, Failed("down")))
    assert (found.replicas, found.rescaled, found.error) == (replicas, True, None)
    assert conditions(found) == {"AbleToScale": "True SucceededRescale"}
    assert len(found.state.ups) + len(found.state.downs) == 1


def test_the_most_that_any_metric_proposes_counts() -> None:
    found = decide(hpa(cpu(50), external(averageValue="1")), seen(4, samples(*[700] * 4), [9000]))
    assert (found.reasoning.winner, found.state.recommendations[-1].replicas) == (1, 9)


def test_a_metric_that_fails_forbids_scaling_down() -> None:
    rules = hpa(cpu(50), external(averageValue="1"))
    found = decide(rules, seen(4, samples(*[100] * 4), Failed("down")))
    assert (found.replicas, found.reasoning.path) == (4, "unknown")
    assert conditions(found)["ScalingActive"] == "False FailedGetExternalMetric"
    assert found.error is not None
    assert found.error.startswith("failed to compute desired number of replicas based on listed metrics for ")
    assert "invalid metrics (1 invalid out of 2), first error is: failed to get queue external" in found.error


def test_a_metric_that_fails_does_not_forbid_scaling_up() -> None:
    rules = hpa(cpu(50), external(averageValue="1"))
    found = decide(rules, seen(4, samples(*[900] * 4), Failed("down")))
    assert (found.replicas, conditions(found)["ScalingActive"]) == (8, "True ValidMetricFound")
    assert found.error is not None
    assert found.error.startswith("invalid metrics (1 invalid out of 2)")


def test_an_error_keeps_what_the_status_said_before() -> None:
    rules = hpa(cpu(50))
    before = decide(rules, seen(4, samples(*[900] * 4)))
    after = decide(rules, seen(6, Failed("down"), now_s=15.0), before.state)
    assert (after.replicas, after.desired_replicas) == (6, 8)
    assert conditions(after)["ScalingLimited"] == "False DesiredWithinRange"
    assert after.state.recommendations == before.state.recommendations


def test_the_first_look_is_remembered_as_a_recommendation() -> None:
    """So that a controller that has just started does not scale down at once."""
    found = decide(hpa(cpu(50)), seen(4, samples(*[100] * 4)))
    assert (found.replicas, conditions(found)["AbleToScale"]) == (4, "True ScaleDownStabilized")


def test_without_a_behavior_no_rescale_is_remembered() -> None:
    found = decide(hpa(cpu(50)), seen(4, samples(*[900] * 4)))
    assert (found.rescaled, found.state.ups) == (True, ())


def test_a_decision_changes_nothing_that_it_was_given() -> None:
    rules, sight = hpa(cpu(50), behavior={}), seen(4, samples(*[900] * 3))
    state = decide(rules, sight).state
    before = copy.deepcopy((rules, state, sight))
    assert decide(rules, sight, state) == decide(rules, sight, state)
    assert (rules, state, sight) == before
