"""HPAs and what they see, at random; the scale is what the engine made it, unless a person steps in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.observation import Answer, Failed, Seen
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import NEW
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
# The longest period is the same for both: the controller may forget a rescale after that of its own direction.
LONGEST = {"type": "Pods", "value": 20, "periodSeconds": 60}
direction = st.fixed_dictionaries(
    {"policies": st.lists(policy, max_size=3).map(lambda some: [*some, LONGEST])},
    optional={
        "stabilizationWindowSeconds": st.sampled_from([0, 20, 60, 300]),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "tolerance": st.sampled_from(["0", "50m", "0.3"]),
    },
)
NOBODY: st.SearchStrategy[int | None] = st.none()
behavior = st.none() | st.fixed_dictionaries({}, optional={"scaleUp": direction, "scaleDown": direction})


class Tick(NamedTuple):
    """The load of one tick in thousandths a pod or in all, pods without a value, and whether an API fails."""

    load_m: int
    missing: int
    fails: bool
    by_hand: int | None


class World(NamedTuple):
    """An HPA and its ticks."""

    hpa: Hpa
    first: int
    ticks: Sequence[Tick]


def ticks(by_hand: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[Tick]]:
    one = st.builds(Tick, st.integers(0, 20_000), st.integers(0, 3), st.sampled_from([False] * 5 + [True]), by_hand)
    return st.lists(one, min_size=1, max_size=30)


@st.composite
def worlds(draw: Any, behaviors: Any = behavior, by_hand: st.SearchStrategy[int | None] = NOBODY) -> World:
    least, span = draw(st.integers(1, 5)), draw(st.integers(0, 40))
    metrics = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3))
    rules = hpa(*metrics, minReplicas=least, maxReplicas=least + span, behavior=draw(behaviors))
    return World(rules, draw(st.integers(least, least + span)), draw(ticks(by_hand)))


def run(world: World) -> Iterator[tuple[Seen, Decision]]:
    """What is seen and decided, tick by tick."""
    replicas, state = world.first, NEW
    for place, tick in enumerate(world.ticks):
        replicas = replicas if tick.by_hand is None else tick.by_hand
        answers = [_answer(metric.kind, tick, replicas) for metric in world.hpa.metrics]
        sight = Seen(place * SYNC_S, replicas, replicas, pods(replicas), answers)
        decision = reconcile(world.hpa, state, sight)
        yield sight, decision
        replicas, state = decision.replicas, decision.state


def _answer(kind: str, tick: Tick, replicas: int) -> Answer:
    if tick.fails:
        return Failed("down")
    if kind == "External":
        return [tick.load_m]
    if kind == "Object":
        return tick.load_m
    return samples(*[tick.load_m // 10] * max(0, replicas - tick.missing))
