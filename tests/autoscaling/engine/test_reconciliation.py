"""The paths through one reconcile."""

from __future__ import annotations

import copy

import pytest

from autoscaling.engine.observation import ApiError
from autoscaling.engine.reconciliation import Decision
from tests.autoscaling.builders import cpu, decide, external, hpa, observed, pods, samples


def conditions(decision: Decision) -> dict[str, str]:
    return {one.type: f"{one.status} {one.reason}" for one in decision.conditions}


def test_scale_of_0_with_min_replicas_above_0_is_not_changed() -> None:
    found = decide(hpa(cpu()), observed(0, samples(1), of=pods(1)))
    assert (found.replicas, found.rescaled) == (0, False)
    assert conditions(found) == {"AbleToScale": "True SucceededGetScale", "ScalingActive": "False ScalingDisabled"}


@pytest.mark.parametrize(("current", "replicas"), [(12, 10), (1, 3)])
def test_scale_outside_of_min_and_max_is_corrected_at_once_without_metrics(current: int, replicas: int) -> None:
    behavior = {"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": {"selectPolicy": "Disabled"}}
    rules = hpa(cpu(), minReplicas=3, maxReplicas=10, behavior=behavior)
    found = decide(rules, observed(current, ApiError("down")))
    assert (found.replicas, found.rescaled, found.error) == (replicas, True, None)
    assert conditions(found) == {"AbleToScale": "True SucceededRescale"}
    assert len(found.state.scale_ups) + len(found.state.scale_downs) == 1


def test_highest_proposal_counts() -> None:
    found = decide(hpa(cpu(50), external(averageValue="1")), observed(4, samples(*[700] * 4), [9000]))
    assert (found.rationale.winner, found.state.recommendations[-1].replicas) == (1, 9)


def test_failed_metric_forbids_scaling_down() -> None:
    rules = hpa(cpu(50), external(averageValue="1"))
    found = decide(rules, observed(4, samples(*[100] * 4), ApiError("down")))
    assert (found.replicas, found.rationale.path) == (4, "no proposal")
    assert conditions(found)["ScalingActive"] == "False FailedGetExternalMetric"
    assert found.error is not None
    assert found.error.startswith("failed to compute desired number of replicas based on listed metrics for ")
    assert "invalid metrics (1 invalid out of 2), first error is: failed to get queue external" in found.error


def test_failed_metric_does_not_forbid_scaling_up() -> None:
    rules = hpa(cpu(50), external(averageValue="1"))
    found = decide(rules, observed(4, samples(*[900] * 4), ApiError("down")))
    assert (found.replicas, conditions(found)["ScalingActive"]) == (8, "True ValidMetricFound")
    assert found.error is not None
    assert found.error.startswith("invalid metrics (1 invalid out of 2)")


def test_error_keeps_the_previous_status() -> None:
    rules = hpa(cpu(50))
    before = decide(rules, observed(4, samples(*[900] * 4)))
    after = decide(rules, observed(6, ApiError("down"), now_s=15.0), before.state)
    assert (after.replicas, after.desired_replicas) == (6, 8)
    assert conditions(after)["ScalingLimited"] == "False DesiredWithinRange"
    assert after.state.recommendations == before.state.recommendations


def test_first_scale_is_stored_as_a_recommendation() -> None:
    """This prevents a controller that has just started from scaling down at once."""
    found = decide(hpa(cpu(50)), observed(4, samples(*[100] * 4)))
    assert (found.replicas, conditions(found)["AbleToScale"]) == (4, "True ScaleDownStabilized")


def test_rescales_are_not_stored_without_a_behavior() -> None:
    found = decide(hpa(cpu(50)), observed(4, samples(*[900] * 4)))
    assert (found.rescaled, found.state.scale_ups) == (True, ())


def test_decision_changes_no_argument() -> None:
    rules, observation = hpa(cpu(50), behavior={}), observed(4, samples(*[900] * 3))
    state = decide(rules, observation).state
    before = copy.deepcopy((rules, state, observation))
    assert decide(rules, observation, state) == decide(rules, observation, state)
    assert (rules, state, observation) == before
