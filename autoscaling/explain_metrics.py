"""Explains the proposal of one metric, with the numbers by which an operator can check it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.rationale import (
    AverageValueProposal,
    NoProposal,
    PerPodProposal,
    PodGroups,
    Proposal,
    UsageRatio,
    ValueProposal,
    Verdict,
)
from mesh.catalog import quantities

_UNCHANGED = {
    "direction reversed": "with them the ratio is on the other side of 1: no change",
    "against direction": "that would go against the ratio's direction: no change",
}


def name(metric: Metric) -> str:
    """Returns the name of the metric for all lines: `worker/cpu`, `cpu`, `requests of Service offers`."""
    if metric.described_object is not None:
        return f"{metric.name} of {metric.described_object['kind']} {metric.described_object['name']}"
    return f"{metric.container}/{metric.name}" if metric.container else metric.name


def lines(metric: Metric, hpa: Hpa, proposal: Proposal) -> Iterator[str]:
    """Yields the calculation of `proposal` from the values of `metric`."""
    if isinstance(proposal, NoProposal):
        yield f"{name(metric)}: no proposal: {proposal.text}"
    elif isinstance(proposal, PerPodProposal):
        yield from _per_pod(metric, hpa.tolerance, proposal)
    elif isinstance(proposal, ValueProposal):
        yield from _value(metric, hpa.tolerance, proposal)
    else:
        yield from _average_value(metric, hpa.tolerance, proposal)


def _per_pod(metric: Metric, tolerance: Tolerance, proposal: PerPodProposal) -> Iterator[str]:
    usage, adjusted, groups = proposal.usage, proposal.adjusted, proposal.groups
    yield f"{name(metric)} {_usage(metric, usage)}: ratio {usage.ratio:.4g}"
    yield f"  pods: {_counts(groups)}"
    if adjusted is not None:
        yield from (f"  {line}" for line in _adjustments(metric, usage, adjusted, groups))
    decisive, pods = (usage, groups.ready) if adjusted is None else (adjusted, adjusted.pods)
    counted = "ready pods" if adjusted is None else "pods counted"
    yield f"  {_outcome(tolerance, decisive.ratio, proposal.verdict, pods, proposal.replicas, counted)}"


def _usage(metric: Metric, usage: UsageRatio) -> str:
    if usage.utilization is not None:
        requested = f"{usage.total_m}m used of {usage.requested_m}m requested"
        return f"{usage.utilization} % of {metric.amount} % ({requested})"
    total, average = quantities.of_milli(usage.total_m), quantities.of_milli(usage.average_m)
    return f"{average} of {quantities.of_milli(metric.amount)} a pod ({total} over {_pods(usage.pods)})"


def _counts(groups: PodGroups) -> str:
    kinds = (
        ("not ready yet", groups.unready),
        ("without a value", groups.missing),
        ("ignored (failed or being deleted)", groups.ignored),
    )
    found = [f"{groups.ready} ready"] + [f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds if names]
    return "; ".join(found)


def _adjustments(metric: Metric, usage: UsageRatio, adjusted: UsageRatio, groups: PodGroups) -> Iterator[str]:
    """The values that the controller assumes for missing and unready pods."""
    if usage.ratio == 1.0:
        yield "the ratio is 1: no value is assumed for the pods without a value"
        return
    up = usage.ratio > 1.0
    if groups.missing:
        busy = f"{max(100, metric.amount)} % of its request" if usage.utilization is not None else "its target"
        assumed, side = ("0", "above") if up else (busy, "below")
        yield f"{_pods(len(groups.missing))} without a value: as {assumed}, since the ratio is {side} 1"
    if groups.unready and up:
        yield f"{_pods(len(groups.unready))} not ready yet: as 0, since the ratio is above 1"
    yield f"with them {_usage(metric, adjusted)}: ratio {adjusted.ratio:.4g}"


def _value(metric: Metric, tolerance: Tolerance, proposal: ValueProposal) -> Iterator[str]:
    usage, target = quantities.of_milli(proposal.usage_m), quantities.of_milli(metric.amount)
    yield f"{name(metric)} {usage} of {target} for all pods: ratio {proposal.ratio:.4g}"
    if proposal.current == 0:
        yield f"  from 0 replicas there is no tolerance: {proposal.ratio:.4g} -> {proposal.replicas}"
    else:
        ready = proposal.ready or 0
        yield f"  {_outcome(tolerance, proposal.ratio, proposal.verdict, ready, proposal.replicas, 'ready pods')}"


def _average_value(metric: Metric, tolerance: Tolerance, proposal: AverageValueProposal) -> Iterator[str]:
    usage, target = quantities.of_milli(proposal.usage_m), quantities.of_milli(metric.amount)
    status = proposal.status_replicas
    yield f"{name(metric)} {usage} in total, target {target} a pod for {_pods(status)}: ratio {proposal.ratio:.4g}"
    if proposal.verdict == "within tolerance":
        yield f"  {_band(tolerance, proposal.ratio)}: stays {proposal.replicas}"
    else:
        each = proposal.usage_m / metric.amount
        yield f"  {_band(tolerance, proposal.ratio)}: {usage} / {target} = {each:.4g} -> {proposal.replicas}"


def _outcome(tolerance: Tolerance, ratio: float, verdict: Verdict, pods: int, replicas: int, counted: str) -> str:
    band = _band(tolerance, ratio)
    if verdict == "within tolerance":
        return f"{band}: stays {replicas}"
    product = ratio * float(pods)
    shown = f"{pods} {counted} x {ratio:.4g} = {_product(product)}"
    if verdict == "scaled":
        return f"{band}: {shown} -> {replicas}"
    return f"{band}: {shown}; {_UNCHANGED[verdict]}: stays {replicas}"


def _product(product: float) -> str:
    """Two decimals, or all digits if two would suggest another result of rounding up."""
    shown = f"{product:.2f}"
    return shown if not math.isfinite(product) or math.ceil(float(shown)) == math.ceil(product) else repr(product)


def _band(tolerance: Tolerance, ratio: float) -> str:
    side = "within" if tolerance.holds(ratio) else "outside"
    if tolerance.symmetrical:
        return f"{side} the tolerance: distance from 1 is {abs(1.0 - ratio)!r}, allowed is {tolerance.up:g}"
    return f"{side} the tolerance {1 - tolerance.down:.4g} to {1 + tolerance.up:.4g}"


def _pods(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"


def _listed(names: tuple[str, ...], limit: int = 3) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest
