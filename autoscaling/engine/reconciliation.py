"""One decision of the HPA controller: a pure function of an HPA, the controller's state and an observation.

Source: pkg/controller/podautoscaler/horizontal.go of Kubernetes, `reconcileAutoscaler`
"""

from __future__ import annotations

from typing import NamedTuple

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.limits import limit, limit_without_behavior
from autoscaling.engine.observation import Observation
from autoscaling.engine.proposals import CombinedProposal, propose
from autoscaling.engine.rationale import AppliedLimits, Path, Proposal, Rationale, Recommendation, Stabilization
from autoscaling.engine.stabilization import stabilize, stabilize_without_behavior
from autoscaling.engine.state import Condition, State, with_conditions, with_scale_event

_SCALE_READ = Condition("AbleToScale", "True", "SucceededGetScale")
_RESCALED = Condition("AbleToScale", "True", "SucceededRescale")


class Decision(NamedTuple):
    """The result of one tick of the controller.

    `replicas` is the new value of the scale, `desired_replicas` that of the HPA's status. `error` is the error that the
    reconcile returns (None: no error). Pass `state` to the next tick.
    """

    replicas: int
    rescaled: bool
    desired_replicas: int
    conditions: tuple[Condition, ...]
    error: str | None
    state: State
    rationale: Rationale


class _Outcome(NamedTuple):
    """The result of one path through a reconcile; `replicas` is None if an error forbids a change."""

    path: Path
    replicas: int | None
    state: State
    conditions: tuple[Condition, ...] = ()
    proposal: CombinedProposal | None = None
    stabilization: Stabilization | None = None
    limits: AppliedLimits | None = None


def reconcile(hpa: Hpa, state: State, observed: Observation) -> Decision:
    """Decides once; changes none of its arguments. `observed.responses` are in the order of `hpa.metrics`."""
    current = observed.spec_replicas
    if not state.recommendations:
        state = state._replace(recommendations=(Recommendation(current, observed.now_s),))
    if current == 0 and hpa.min_replicas != 0:
        disabled = Condition("ScalingActive", "False", "ScalingDisabled")
        return _decision(hpa, observed, _Outcome("disabled", current, state, (disabled,)))
    if current > hpa.max_replicas:
        return _decision(hpa, observed, _Outcome("above max", hpa.max_replicas, state))
    if current < hpa.min_replicas:
        return _decision(hpa, observed, _Outcome("below min", hpa.min_replicas, state))
    return _decision(hpa, observed, _by_metrics(hpa, state, observed))


def _by_metrics(hpa: Hpa, state: State, observed: Observation) -> _Outcome:
    proposal = propose(hpa, observed)
    if proposal.replicas is None:
        inactive = Condition("ScalingActive", "False", proposal.reason)
        return _Outcome("no proposal", None, state, (inactive,), proposal)
    # A proposal is below 0 only if a number was out of range.
    wanted, current, recommendations = max(0, proposal.replicas), observed.spec_replicas, state.recommendations
    if hpa.behavior is None:
        window_s = hpa.flags.downscale_stabilization_s
        stabilization, recommendations = stabilize_without_behavior(recommendations, wanted, window_s, observed.now_s)
        limits = limit_without_behavior(hpa, stabilization.replicas, current)
    else:
        stabilization, recommendations = stabilize(recommendations, wanted, current, hpa.behavior, observed.now_s)
        limits = limit(hpa, hpa.behavior, state, stabilization.replicas, current, observed.now_s)
    conditions = (
        Condition("ScalingActive", "True", proposal.reason),
        Condition("AbleToScale", "True", _stability(stabilization)),
        Condition("ScalingLimited", "True" if limits.replicas != limits.wanted else "False", limits.reason),
    )
    state = State(recommendations, state.scale_ups, state.scale_downs, state.conditions, state.desired_replicas)
    return _Outcome("metrics", limits.replicas, state, conditions, proposal, stabilization, limits)


def _stability(stabilization: Stabilization) -> str:
    if stabilization.replicas == stabilization.proposed:
        return "ReadyForNewScale"
    # Without a behavior, only scaling down is stabilised.
    up = stabilization.current is not None and stabilization.proposed >= stabilization.current
    return "ScaleUpStabilized" if up else "ScaleDownStabilized"


def _decision(hpa: Hpa, observed: Observation, outcome: _Outcome) -> Decision:
    current, proposal = observed.spec_replicas, outcome.proposal
    replicas = current if outcome.replicas is None else outcome.replicas
    rescaled = replicas != current
    desired = outcome.state.desired_replicas if outcome.replicas is None else replicas
    state = _next_state(hpa, observed, outcome, replicas, desired)
    error = None if proposal is None else proposal.error
    if error is not None and outcome.replicas is None:
        error = f"failed to compute desired number of replicas based on listed metrics for {hpa.reference}: {error}"
    rationale = _rationale(hpa, observed, outcome, replicas)
    return Decision(replicas, rescaled, desired, state.conditions, error, state, rationale)


def _next_state(hpa: Hpa, observed: Observation, outcome: _Outcome, replicas: int, desired: int) -> State:
    current, ups, downs = observed.spec_replicas, outcome.state.scale_ups, outcome.state.scale_downs
    if hpa.behavior is not None and replicas > current:
        ups = with_scale_event(ups, replicas - current, observed.now_s, hpa.behavior.up)
    elif hpa.behavior is not None and replicas < current:
        downs = with_scale_event(downs, current - replicas, observed.now_s, hpa.behavior.down)
    rescaled = (_RESCALED,) if replicas != current else ()
    conditions = with_conditions(outcome.state.conditions, (_SCALE_READ, *outcome.conditions, *rescaled))
    return State(outcome.state.recommendations, ups, downs, conditions, desired)


def _rationale(hpa: Hpa, observed: Observation, outcome: _Outcome, replicas: int) -> Rationale:
    proposals: tuple[Proposal, ...] = ()
    winner = None
    if outcome.proposal is not None:
        proposals, winner = outcome.proposal.proposals, outcome.proposal.winner
    return Rationale(
        outcome.path,
        observed.now_s,
        observed.spec_replicas,
        hpa.min_replicas,
        hpa.max_replicas,
        proposals,
        winner,
        outcome.stabilization,
        outcome.limits,
        replicas,
    )
