"""What holds for every HPA and every load."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.engine.hpa import Behavior, Direction, Policy, Tolerance
from autoscaling.engine.per_pod import propose
from autoscaling.engine.rationale import Recommended
from autoscaling.engine.stabilization import stabilize, stabilize_down
from autoscaling.explain import explain
from tests.autoscaling.builders import cpu, hpa, pods, samples, seen
from tests.autoscaling.random_hpas import SYNC_S, World, direction, run, worlds
from tests.autoscaling.recomputation import added_up

BY_HAND = st.none() | st.integers(0, 60)
BOTH = st.fixed_dictionaries({"scaleUp": direction, "scaleDown": direction})


@given(worlds(by_hand=BY_HAND))
def test_the_scale_is_within_min_and_max_or_0(world: World) -> None:
    for _, decision in run(world):
        assert decision.replicas == 0 or world.hpa.min_replicas <= decision.replicas <= world.hpa.max_replicas


@settings(max_examples=100)
@given(worlds(behaviors=BOTH))
def test_no_policy_is_ever_exceeded(world: World) -> None:
    behavior = world.hpa.behavior
    assert behavior is not None
    history = {-SYNC_S: world.first}
    for sight, decision in run(world):
        history[sight.now_s] = decision.replicas
        before, after = sight.spec_replicas, decision.replicas
        side = behavior.up if after > before else behavior.down
        allowed = [_keeps(policy, history, sight.now_s, before, after) for policy in side.policies]
        assert after == before or side.select != "Disabled"
        assert after == before or (all(allowed) if side.select == "Min" else any(allowed))


def _keeps(policy: Policy, history: Mapping[float, int], now_s: float, before: int, after: int) -> bool:
    """Counted from the replicas that there were a period ago."""
    start = history[max(now_s - policy.period_s, -SYNC_S)]
    if policy.type == "Pods":
        most, least = start + policy.value, start - policy.value
    else:
        most = math.ceil(start * (1 + policy.value / 100))
        least = int(start * (1 - policy.value / 100))
    return after <= most if after > before else after >= least


@settings(max_examples=100)
@given(worlds(by_hand=BY_HAND))
def test_the_reasonings_numbers_add_up_to_the_decision(world: World) -> None:
    for _, decision in run(world):
        assert added_up(world.hpa, decision.reasoning) == decision.replicas


@given(worlds(by_hand=BY_HAND))
def test_every_decision_can_be_explained(world: World) -> None:
    for _, decision in run(world):
        lines = list(explain(world.hpa, decision.reasoning))
        assert lines[-1].startswith("decision: ")
        assert ("no change" in lines[-1]) == (not decision.rescaled)


@given(worlds(by_hand=BY_HAND))
def test_the_same_is_decided_again_and_nothing_given_is_changed(world: World) -> None:
    before = copy.deepcopy(world)
    assert list(run(world)) == list(run(world))
    assert world == before


_kept = st.lists(st.builds(Recommended, st.integers(0, 30), st.integers(0, 600).map(float)), max_size=12).map(tuple)
_count, _window_s = st.integers(0, 30), st.sampled_from([0.0, 15.0, 60.0, 300.0, 600.0])


@given(_kept, _count, _count, _window_s, _window_s, _window_s)
def test_a_longer_window_down_never_leaves_fewer(
    kept: tuple[Recommended, ...], proposed: int, current: int, up_s: float, one_s: float, other_s: float
) -> None:
    short_s, long_s = sorted((one_s, other_s))

    def followed(down_s: float) -> int:
        behavior = Behavior(Direction(up_s, "Max", ()), Direction(down_s, "Max", ()))
        return stabilize(kept, proposed, current, behavior, 600.0)[0].replicas

    assert followed(short_s) <= followed(long_s)
    by_default = [stabilize_down(kept, proposed, window_s, 600.0)[0].replicas for window_s in (short_s, long_s)]
    assert by_default == sorted(by_default)


@given(st.integers(1, 20), st.integers(0, 2000), st.integers(0, 3), st.floats(0, 0.5), st.floats(0, 0.5))
def test_what_stays_within_a_tolerance_stays_within_a_wider_one(
    count: int, usage_m: int, missing: int, one: float, other: float
) -> None:
    narrow, wide = sorted((one, other))
    sight = seen(count, of=pods(count + missing))

    def proposed(tolerance: float) -> int:
        rules = replace(hpa(cpu(60)), tolerance=Tolerance(tolerance, tolerance))
        return propose(rules.metrics[0], rules, sight, samples(*[usage_m] * count)).replicas

    assert proposed(wide) in (proposed(narrow), count)
