"""A decision computed again from its reasoning alone."""

from __future__ import annotations

import math

from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.rationale import Limited, PerPod, Proposal, Reasoning, Share, Stabilized, Unknown, Whole


def added_up(hpa: Hpa, reasoning: Reasoning) -> int:
    """The replicas that the numbers of `reasoning` come to; `hpa` gives targets and tolerance."""
    if reasoning.path == "above max":
        return reasoning.max_replicas
    if reasoning.path == "below min":
        return reasoning.min_replicas
    if reasoning.winner is None and reasoning.path != "metrics":
        return reasoning.current
    both = zip(hpa.metrics, reasoning.proposals, strict=True)
    proposals = [_proposal(metric, hpa.tolerance, one) for metric, one in both if not isinstance(one, Unknown)]
    assert reasoning.stabilized is not None
    assert reasoning.limited is not None
    assert reasoning.stabilized.proposed == max([0, *proposals])
    assert reasoning.limited.wanted == _stabilized(reasoning.stabilized)
    return _limited(hpa, reasoning, reasoning.limited)


def _proposal(metric: Metric, tolerance: Tolerance, one: Proposal) -> int:
    assert not isinstance(one, Unknown)
    if isinstance(one, PerPod):
        return _per_pod(metric, tolerance, one)
    if isinstance(one, Whole):
        ratio = one.usage_m / metric.amount
        if one.current and tolerance.holds(ratio):
            return one.current
        return math.ceil(ratio * (one.ready or 0)) if one.current else math.ceil(ratio)
    if one.status_replicas and tolerance.holds(one.usage_m / (metric.amount * one.status_replicas)):
        return one.status_replicas
    return math.ceil(one.usage_m / metric.amount)


def _per_pod(metric: Metric, tolerance: Tolerance, one: PerPod) -> int:
    ratio = _ratio(metric, one.share)
    if one.again is None:
        return one.current if tolerance.holds(ratio) else math.ceil(ratio * one.groups.ready)
    again = _ratio(metric, one.again)
    replicas = math.ceil(again * one.again.pods)
    turned, held = (ratio - 1) * (again - 1) < 0, (again - 1) * (replicas - one.current) < 0
    return one.current if tolerance.holds(again) or turned or held else replicas


def _ratio(metric: Metric, share: Share) -> float:
    if metric.target == "Utilization":
        return (share.total_m * 100 // share.requested_m) / metric.amount
    return (share.total_m // share.pods) / metric.amount


def _stabilized(one: Stabilized) -> int:
    least = min(one.proposed, one.proposed if one.lowest is None else one.lowest.replicas)
    most = max(one.proposed, one.proposed if one.highest is None else one.highest.replicas)
    return most if one.current is None else min(max(one.current, least), most)


def _limited(hpa: Hpa, reasoning: Reasoning, one: Limited) -> int:
    if hpa.behavior is None:
        return max(reasoning.min_replicas, min(one.wanted, max(4, 2 * one.current), reasoning.max_replicas))
    if one.wanted == one.current:
        return one.wanted
    up = one.wanted > one.current
    limits = []
    for allowance in one.allowances:
        assert allowance.start == one.current - allowance.added + allowance.removed
        change, share = allowance.policy.value, allowance.policy.value / 100
        if allowance.policy.type == "Pods":
            limits.append(allowance.start + (change if up else -change))
        else:
            limits.append(math.ceil(allowance.start * (1 + share)) if up else int(allowance.start * (1 - share)))
    widest = max if up == (one.select != "Min") else min
    reach = widest(limits, default=one.current)
    if up:
        return min(one.wanted, max(reach, one.current), reasoning.max_replicas)
    return max(one.wanted, min(reach, one.current), reasoning.min_replicas)
