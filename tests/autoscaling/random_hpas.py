"""Random HPAs and their observations; the engine sets the scale, unless a person scales by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.observation import ApiError, MetricResponse, Observation
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import INITIAL_STATE
from tests.autoscaling.builders import cpu, cpu_usage, custom, external, hpa, on_object, pods, samples

SYNC_S = 15.0
METRICS = (
    cpu(60),
    cpu_usage("300m"),
    custom("2"),
    external(averageValue="1"),
    external(value="5"),
    on_object(value="3"),
)

policy = st.builds(
    lambda kind, value, period_s: {"type": kind, "value": value, "periodSeconds": period_s},
    st.sampled_from(["Pods", "Percent"]),
    st.integers(1, 200),
    st.sampled_from([15, 30, 60]),
)
# Both directions have the same longest period: the controller may drop a rescale after the longest of its direction.
LONGEST = {"type": "Pods", "value": 20, "periodSeconds": 60}
direction = st.fixed_dictionaries(
    {"policies": st.lists(policy, max_size=3).map(lambda some: [*some, LONGEST])},
    optional={
        "stabilizationWindowSeconds": st.sampled_from([0, 20, 60, 300]),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "tolerance": st.sampled_from(["0", "50m", "0.3"]),
    },
)
NEVER: st.SearchStrategy[int | None] = st.none()
behavior = st.none() | st.fixed_dictionaries({}, optional={"scaleUp": direction, "scaleDown": direction})


class Tick(NamedTuple):
    """One tick: load in thousandths per pod or in total, pods without a value, a failing API, and scaling by hand."""

    load_m: int
    missing: int
    fails: bool
    by_hand: int | None


class Scenario(NamedTuple):
    """An HPA and its ticks."""

    hpa: Hpa
    first: int
    ticks: Sequence[Tick]


def ticks(by_hand: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[Tick]]:
    one = st.builds(Tick, st.integers(0, 20_000), st.integers(0, 3), st.sampled_from([False] * 5 + [True]), by_hand)
    return st.lists(one, min_size=1, max_size=30)


@st.composite
def scenarios(draw: Any, behaviors: Any = behavior, by_hand: st.SearchStrategy[int | None] = NEVER) -> Scenario:
    min_replicas, span = draw(st.integers(1, 5)), draw(st.integers(0, 40))
    metrics = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3))
    made = hpa(*metrics, minReplicas=min_replicas, maxReplicas=min_replicas + span, behavior=draw(behaviors))
    return Scenario(made, draw(st.integers(min_replicas, min_replicas + span)), draw(ticks(by_hand)))


def run(scenario: Scenario) -> Iterator[tuple[Observation, Decision]]:
    """Yields the observation and the decision of each tick."""
    replicas, state = scenario.first, INITIAL_STATE
    for place, tick in enumerate(scenario.ticks):
        replicas = replicas if tick.by_hand is None else tick.by_hand
        responses = [_response(metric.kind, tick, replicas) for metric in scenario.hpa.metrics]
        observation = Observation(place * SYNC_S, replicas, replicas, pods(replicas), responses)
        decision = reconcile(scenario.hpa, state, observation)
        yield observation, decision
        replicas, state = decision.replicas, decision.state


def _response(kind: str, tick: Tick, replicas: int) -> MetricResponse:
    if tick.fails:
        return ApiError("down")
    if kind == "External":
        return [tick.load_m]
    if kind == "Object":
        return tick.load_m
    return samples(*[tick.load_m // 10] * max(0, replicas - tick.missing))
