"""Explanations of decisions."""

from __future__ import annotations

from typing import Any

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.observation import ApiError, Observation, Pod
from autoscaling.engine.rationale import Recommendation
from autoscaling.engine.state import INITIAL_STATE, ScaleEvent, State
from autoscaling.engine.versions import parse
from autoscaling.explain import explain
from tests.autoscaling.builders import cpu, decide, external, hpa, observed, pods, requests, samples


def explained(rules: Hpa, observation: Observation, state: State = INITIAL_STATE) -> list[str]:
    return list(explain(rules, decide(rules, observation, state).rationale))


def test_scaling_up_is_explained_line_by_line() -> None:
    behavior: dict[str, Any] = {"scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}
    rules = hpa(cpu(60), minReplicas=2, maxReplicas=20, behavior=behavior)
    assert explained(rules, observed(7, samples(*[830] * 7), now_s=900.0)) == [
        "t = 900 s: 7 replicas, 2 to 20 allowed",
        "cpu 83 % of 60 % (5810m used of 7000m requested): ratio 1.383",
        "  pods: 7 ready",
        "  outside the tolerance 0.9 to 1.1: 7 ready pods x 1.383 = 9.68 -> 10",
        "scale up: in the last 0 s there was no recommendation; now 10",
        "scale down: in the last 300 s the highest recommendation was 7 (t = 900 s); now 10",
        "policy Percent 100 in 15 s: from 7 at most 14",
        "decision: 7 -> 10",
    ]


def test_missing_and_unready_pods_are_explained() -> None:
    of = [*pods(5), Pod("pod-5", "Pending", requests=requests())]
    lines = explained(hpa(cpu(50)), observed(6, samples(900, 900, 900), of=of))
    assert lines[1:6] == [
        "cpu 90 % of 50 % (2700m used of 3000m requested): ratio 1.8",
        "  pods: 3 ready; 1 not ready yet: pod-5; 2 without a value: pod-3, pod-4",
        "  2 pods without a value: as 0, since the ratio is above 1",
        "  1 pod not ready yet: as 0, since the ratio is above 1",
        "  with them 45 % of 50 % (2700m used of 6000m requested): ratio 0.9",
    ]


def test_winning_metric_is_named() -> None:
    lines = explained(hpa(cpu(50), external(averageValue="1")), observed(4, samples(*[500] * 4), [9000]))
    assert "proposals 4, 9: the highest counts, queue" in lines


def test_failed_metric_is_explained_with_its_effect() -> None:
    lines = explained(hpa(cpu(50), external(averageValue="1")), observed(4, samples(*[100] * 4), ApiError("down")))
    assert lines[-2:] == ["1 of 2 metrics failed: a failed metric forbids scaling down", "decision: no change"]


def test_window_shows_its_decisive_recommendation_with_the_time() -> None:
    state = State(recommendations=(Recommendation(9, 60.0), Recommendation(7, 75.0)))
    lines = explained(hpa(cpu(50)), observed(9, samples(*[100] * 9), now_s=90.0), state)
    assert "scale down: in the last 300 s the highest recommendation was 9 (t = 60 s); now 2" in lines
    assert "stabilisation: 2 becomes 9" in lines


def test_policy_shows_the_rescales_that_it_counts() -> None:
    policies = [{"type": "Pods", "value": 4, "periodSeconds": 60}]
    rules = hpa(cpu(50), behavior={"scaleUp": {"policies": policies}})
    state = State(recommendations=(Recommendation(9, 0.0),), scale_ups=(ScaleEvent(3, 60.0),))
    lines = explained(rules, observed(9, samples(*[1000] * 9), now_s=90.0), state)
    assert lines[-3:] == [
        "policy Pods 4 in 60 s: from 6 (3 added, 0 removed since) at most 10",
        "limit 10: 18 becomes 10 (ScaleUpLimit)",
        "decision: 9 -> 10",
    ]


def test_product_is_shown_in_full_if_its_last_digits_decide() -> None:
    lines = explained(hpa(cpu(40)), observed(25, samples(*[880] * 25)))
    assert lines[3].endswith("25 ready pods x 2.2 = 55.00000000000001 -> 56")


def test_symmetrical_tolerance_is_explained_by_the_distance_from_1() -> None:
    lines = explained(hpa(cpu(50), version=parse("1.32")), observed(10, samples(*[550] * 10)))
    assert "outside the tolerance: distance from 1 is 0.10000000000000009, allowed is 0.1" in lines[3]


def test_times_are_formatted_by_the_given_clock() -> None:
    rules = hpa(cpu(50))
    decision = decide(rules, observed(4, samples(*[500] * 4), now_s=65_100.0))
    assert next(explain(rules, decision.rationale, lambda at_s: f"{at_s / 3600:.2f} h")).startswith("18.08 h: ")


def test_select_policy_is_explained() -> None:
    policies = [{"type": "Pods", "value": value, "periodSeconds": 60} for value in (4, 2)]
    for select, words in (("Max", "largest"), ("Min", "smallest")):
        rules = hpa(cpu(50), behavior={"scaleUp": {"policies": policies, "selectPolicy": select}})
        assert f"selectPolicy {select}: the {words} change counts" in explained(
            rules, observed(9, samples(*[1000] * 9))
        )


def test_disabled_direction_is_explained() -> None:
    rules = hpa(cpu(50), behavior={"scaleUp": {"selectPolicy": "Disabled"}})
    assert "scaling up is disabled: stays 9" in explained(rules, observed(9, samples(*[1000] * 9)))
