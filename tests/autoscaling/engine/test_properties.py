"""Properties of every HPA under every load."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.engine.hpa import Behavior, Policy, ScalingRules, Tolerance
from autoscaling.engine.per_pod import propose
from autoscaling.engine.rationale import Recommendation
from autoscaling.engine.stabilization import stabilize, stabilize_without_behavior
from autoscaling.explain import explain
from tests.autoscaling.builders import cpu, hpa, observed, pods, samples
from tests.autoscaling.random_hpas import SYNC_S, Scenario, direction, run, scenarios
from tests.autoscaling.recomputation import recomputed

BY_HAND = st.none() | st.integers(0, 60)
BOTH = st.fixed_dictionaries({"scaleUp": direction, "scaleDown": direction})


@given(scenarios(by_hand=BY_HAND))
def test_scale_is_within_min_and_max_or_0(scenario: Scenario) -> None:
    for _, decision in run(scenario):
        assert decision.replicas == 0 or scenario.hpa.min_replicas <= decision.replicas <= scenario.hpa.max_replicas


@settings(max_examples=100)
@given(scenarios(behaviors=BOTH))
def test_policies_are_never_exceeded(scenario: Scenario) -> None:
    behavior = scenario.hpa.behavior
    assert behavior is not None
    history = {-SYNC_S: scenario.first}
    for observation, decision in run(scenario):
        history[observation.now_s] = decision.replicas
        before, after = observation.spec_replicas, decision.replicas
        rules = behavior.up if after > before else behavior.down
        allowed = [_allows(policy, history, observation.now_s, before, after) for policy in rules.policies]
        assert after == before or rules.select != "Disabled"
        assert after == before or (all(allowed) if rules.select == "Min" else any(allowed))


def _allows(policy: Policy, history: Mapping[float, int], now_s: float, before: int, after: int) -> bool:
    """Whether `policy` allows the change, counted from the replicas one period ago."""
    start = history[max(now_s - policy.period_s, -SYNC_S)]
    if policy.type == "Pods":
        upper, lower = start + policy.value, start - policy.value
    else:
        upper = math.ceil(start * (1 + policy.value / 100))
        lower = int(start * (1 - policy.value / 100))
    return after <= upper if after > before else after >= lower


@settings(max_examples=100)
@given(scenarios(by_hand=BY_HAND))
def test_numbers_of_every_rationale_lead_to_its_decision(scenario: Scenario) -> None:
    for _, decision in run(scenario):
        assert recomputed(scenario.hpa, decision.rationale) == decision.replicas


@given(scenarios(by_hand=BY_HAND))
def test_every_decision_can_be_explained(scenario: Scenario) -> None:
    for _, decision in run(scenario):
        lines = list(explain(scenario.hpa, decision.rationale))
        assert lines[-1].startswith("decision: ")
        assert ("no change" in lines[-1]) == (not decision.rescaled)


@given(scenarios(by_hand=BY_HAND))
def test_decisions_are_deterministic_and_change_no_argument(scenario: Scenario) -> None:
    before = copy.deepcopy(scenario)
    assert list(run(scenario)) == list(run(scenario))
    assert scenario == before


_recommendations = st.lists(
    st.builds(Recommendation, st.integers(0, 30), st.integers(0, 600).map(float)), max_size=12
).map(tuple)
_count, _window_s = st.integers(0, 30), st.sampled_from([0.0, 15.0, 60.0, 300.0, 600.0])


@given(_recommendations, _count, _count, _window_s, _window_s, _window_s)
def test_longer_scale_down_window_never_gives_fewer_replicas(
    recommendations: tuple[Recommendation, ...], proposed: int, current: int, up_s: float, one_s: float, other_s: float
) -> None:
    short_s, long_s = sorted((one_s, other_s))

    def stabilized(down_s: float) -> int:
        behavior = Behavior(ScalingRules(up_s, "Max", ()), ScalingRules(down_s, "Max", ()))
        return stabilize(recommendations, proposed, current, behavior, 600.0)[0].replicas

    assert stabilized(short_s) <= stabilized(long_s)
    by_default = [
        stabilize_without_behavior(recommendations, proposed, window_s, 600.0)[0].replicas
        for window_s in (short_s, long_s)
    ]
    assert by_default == sorted(by_default)


@given(st.integers(1, 20), st.integers(0, 2000), st.integers(0, 3), st.floats(0, 0.5), st.floats(0, 0.5))
def test_wider_tolerance_never_adds_a_change(count: int, usage_m: int, missing: int, one: float, other: float) -> None:
    narrow, wide = sorted((one, other))
    observation = observed(count, of=pods(count + missing))

    def proposed(tolerance: float) -> int:
        rules = replace(hpa(cpu(60)), tolerance=Tolerance(tolerance, tolerance))
        return propose(rules.metrics[0], rules, observation, samples(*[usage_m] * count)).replicas

    assert proposed(wide) in (proposed(narrow), count)
