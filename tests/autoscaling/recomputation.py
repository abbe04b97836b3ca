"""Recomputes a decision from its rationale alone."""

from __future__ import annotations

import math

from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.rationale import (
    AppliedLimits,
    NoProposal,
    PerPodProposal,
    Proposal,
    Rationale,
    Stabilization,
    UsageRatio,
    ValueProposal,
)


def recomputed(hpa: Hpa, rationale: Rationale) -> int:
    """Returns the replicas that the numbers of `rationale` lead to; `hpa` has the targets and the tolerance."""
    if rationale.path == "above max":
        return rationale.max_replicas
    if rationale.path == "below min":
        return rationale.min_replicas
    if rationale.winner is None and rationale.path != "metrics":
        return rationale.current
    pairs = zip(hpa.metrics, rationale.proposals, strict=True)
    proposals = [_proposal(metric, hpa.tolerance, one) for metric, one in pairs if not isinstance(one, NoProposal)]
    assert rationale.stabilization is not None
    assert rationale.limits is not None
    assert rationale.stabilization.proposed == max([0, *proposals])
    assert rationale.limits.wanted == _stabilized(rationale.stabilization)
    return _limited(hpa, rationale, rationale.limits)


def _proposal(metric: Metric, tolerance: Tolerance, one: Proposal) -> int:
    assert not isinstance(one, NoProposal)
    if isinstance(one, PerPodProposal):
        return _per_pod(metric, tolerance, one)
    if isinstance(one, ValueProposal):
        ratio = one.usage_m / metric.amount
        if one.current and tolerance.holds(ratio):
            return one.current
        return math.ceil(ratio * (one.ready or 0)) if one.current else math.ceil(ratio)
    if one.status_replicas and tolerance.holds(one.usage_m / (metric.amount * one.status_replicas)):
        return one.status_replicas
    return math.ceil(one.usage_m / metric.amount)


def _per_pod(metric: Metric, tolerance: Tolerance, one: PerPodProposal) -> int:
    ratio = _ratio(metric, one.usage)
    if one.adjusted is None:
        return one.current if tolerance.holds(ratio) else math.ceil(ratio * one.groups.ready)
    adjusted = _ratio(metric, one.adjusted)
    replicas = math.ceil(adjusted * one.adjusted.pods)
    reversed_, against = (ratio - 1) * (adjusted - 1) < 0, (adjusted - 1) * (replicas - one.current) < 0
    return one.current if tolerance.holds(adjusted) or reversed_ or against else replicas


def _ratio(metric: Metric, share: UsageRatio) -> float:
    if metric.target == "Utilization":
        return (share.total_m * 100 // share.requested_m) / metric.amount
    return (share.total_m // share.pods) / metric.amount


def _stabilized(one: Stabilization) -> int:
    lower = min(one.proposed, one.proposed if one.lowest is None else one.lowest.replicas)
    upper = max(one.proposed, one.proposed if one.highest is None else one.highest.replicas)
    return upper if one.current is None else min(max(one.current, lower), upper)


def _limited(hpa: Hpa, rationale: Rationale, one: AppliedLimits) -> int:
    if hpa.behavior is None:
        return max(rationale.min_replicas, min(one.wanted, max(4, 2 * one.current), rationale.max_replicas))
    if one.wanted == one.current:
        return one.wanted
    up = one.wanted > one.current
    limits = []
    for policy_limit in one.policies:
        assert policy_limit.start == one.current - policy_limit.added + policy_limit.removed
        change, share = policy_limit.policy.value, policy_limit.policy.value / 100
        if policy_limit.policy.type == "Pods":
            limits.append(policy_limit.start + (change if up else -change))
        else:
            limits.append(math.ceil(policy_limit.start * (1 + share)) if up else int(policy_limit.start * (1 - share)))
    select = max if up == (one.select != "Min") else min
    allowed = select(limits, default=one.current)
    if up:
        return min(one.wanted, max(allowed, one.current), rationale.max_replicas)
    return max(one.wanted, min(allowed, one.current), rationale.min_replicas)
