"""One decision of the HPA controller: a pure function of an HPA, what was before, and what is seen now.

Source: pkg/controller/podautoscaler/horizontal.go of Kubernetes, `reconcileAutoscaler`
"""

from __future__ import annotations

from typing import NamedTuple

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.limits import limit, limit_by_default
from autoscaling.engine.observation import Seen
from autoscaling.engine.proposals import Proposed, propose
from autoscaling.engine.rationale import Limited, Path, Proposal, Reasoning, Recommended, Stabilized
from autoscaling.engine.stabilization import stabilize, stabilize_down
from autoscaling.engine.state import Condition, State, happened, with_conditions

_SCALE_READ = Condition("AbleToScale", "True", "SucceededGetScale")
_RESCALED = Condition("AbleToScale", "True", "SucceededRescale")


class Decision(NamedTuple):
    """What the controller does and says at one tick.

    `replicas` is the scale's from now on, `desired_replicas` what the HPA's status says, `error` what the reconcile
    returns (None: none); `state` goes into the next tick.
    """

    replicas: int
    rescaled: bool
    desired_replicas: int
    conditions: tuple[Condition, ...]
    error: str | None
    state: State
    reasoning: Reasoning


class _Outcome(NamedTuple):
    """What one of the paths through a reconcile comes to; `replicas` is None where an error forbids any change."""

    path: Path
    replicas: int | None
    state: State
    conditions: tuple[Condition, ...] = ()
    proposed: Proposed | None = None
    stabilized: Stabilized | None = None
    limited: Limited | None = None


def reconcile(hpa: Hpa, state: State, seen: Seen) -> Decision:
    """Decides once. Neither `state` nor anything in `seen` is changed; `seen.answers` go with `hpa.metrics`."""
    current = seen.spec_replicas
    if not state.recommendations:
        state = state._replace(recommendations=(Recommended(current, seen.now_s),))
    if current == 0 and hpa.min_replicas != 0:
        disabled = Condition("ScalingActive", "False", "ScalingDisabled")
        return _decision(hpa, seen, _Outcome("disabled", current, state, (disabled,)))
    if current > hpa.max_replicas:
        return _decision(hpa, seen, _Outcome("above max", hpa.max_replicas, state))
    if current < hpa.min_replicas:
        return _decision(hpa, seen, _Outcome("below min", hpa.min_replicas, state))
    return _decision(hpa, seen, _by_metrics(hpa, state, seen))


def _by_metrics(hpa: Hpa, state: State, seen: Seen) -> _Outcome:
    proposed = propose(hpa, seen)
    if proposed.replicas is None:
        return _Outcome("unknown", None, state, (Condition("ScalingActive", "False", proposed.reason),), proposed)
    # A proposal below 0 comes only of numbers out of range.
    wanted, current, kept = max(0, proposed.replicas), seen.spec_replicas, state.recommendations
    if hpa.behavior is None:
        window_s = hpa.flags.downscale_stabilization_s
        stabilized, kept = stabilize_down(kept, wanted, window_s, seen.now_s)
        limited = limit_by_default(hpa, stabilized.replicas, current)
    else:
        stabilized, kept = stabilize(kept, wanted, current, hpa.behavior, seen.now_s)
        limited = limit(hpa, hpa.behavior, state, stabilized.replicas, current, seen.now_s)
    conditions = (
        Condition("ScalingActive", "True", proposed.reason),
        Condition("AbleToScale", "True", _stability(stabilized)),
        Condition("ScalingLimited", "True" if limited.replicas != limited.wanted else "False", limited.reason),
    )
    state = State(kept, state.ups, state.downs, state.conditions, state.desired_replicas)
    return _Outcome("metrics", limited.replicas, state, conditions, proposed, stabilized, limited)


def _stability(stabilized: Stabilized) -> str:
    if stabilized.replicas == stabilized.proposed:
        return "ReadyForNewScale"
    # Without a behavior only the way down is stabilised.
    up = stabilized.current is not None and stabilized.proposed >= stabilized.current
    return "ScaleUpStabilized" if up else "ScaleDownStabilized"


def _decision(hpa: Hpa, seen: Seen, outcome: _Outcome) -> Decision:
    current, proposed = seen.spec_replicas, outcome.proposed
    replicas = current if outcome.replicas is None else outcome.replicas
    rescaled = replicas != current
    desired = outcome.state.desired_replicas if outcome.replicas is None else replicas
    state = _remembered(hpa, seen, outcome, replicas, desired)
    error = None if proposed is None else proposed.error
    if error is not None and outcome.replicas is None:
        error = f"failed to compute desired number of replicas based on listed metrics for {hpa.reference}: {error}"
    reasoning = _reasoning(hpa, seen, outcome, replicas)
    return Decision(replicas, rescaled, desired, state.conditions, error, state, reasoning)


def _remembered(hpa: Hpa, seen: Seen, outcome: _Outcome, replicas: int, desired: int) -> State:
    current, ups, downs = seen.spec_replicas, outcome.state.ups, outcome.state.downs
    if hpa.behavior is not None and replicas > current:
        ups = happened(ups, replicas - current, seen.now_s, hpa.behavior.up)
    elif hpa.behavior is not None and replicas < current:
        downs = happened(downs, current - replicas, seen.now_s, hpa.behavior.down)
    rescaled = (_RESCALED,) if replicas != current else ()
    conditions = with_conditions(outcome.state.conditions, (_SCALE_READ, *outcome.conditions, *rescaled))
    return State(outcome.state.recommendations, ups, downs, conditions, desired)


def _reasoning(hpa: Hpa, seen: Seen, outcome: _Outcome, replicas: int) -> Reasoning:
    proposals: tuple[Proposal, ...] = ()
    winner = None
    if outcome.proposed is not None:
        proposals, winner = outcome.proposed.proposals, outcome.proposed.winner
    return Reasoning(
        outcome.path,
        seen.now_s,
        seen.spec_replicas,
        hpa.min_replicas,
        hpa.max_replicas,
        proposals,
        winner,
        outcome.stabilized,
        outcome.limited,
        replicas,
    )
