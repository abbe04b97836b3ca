"""One metric's proposal in words and numbers, as an operator would check it by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.rationale import Groups, PerPod, Proposal, Share, Split, Unknown, Verdict, Whole
from mesh.catalog import quantities

_KEPT = {
    "turned": "with them the ratio is on the other side of 1: no change",
    "held": "that would go against the ratio's direction: no change",
}


def name(metric: Metric) -> str:
    """What the metric is called in every line: `worker/cpu`, `cpu`, `requests of Service offers`."""
    if metric.described is not None:
        return f"{metric.name} of {metric.described['kind']} {metric.described['name']}"
    return f"{metric.container}/{metric.name}" if metric.container else metric.name


def lines(metric: Metric, hpa: Hpa, proposal: Proposal) -> Iterator[str]:
    """The way from what was read to what is proposed."""
    if isinstance(proposal, Unknown):
        yield f"{name(metric)}: no proposal: {proposal.text}"
    elif isinstance(proposal, PerPod):
        yield from _per_pod(metric, hpa.tolerance, proposal)
    elif isinstance(proposal, Whole):
        yield from _whole(metric, hpa.tolerance, proposal)
    else:
        yield from _split(metric, hpa.tolerance, proposal)


def _per_pod(metric: Metric, tolerance: Tolerance, proposal: PerPod) -> Iterator[str]:
    share, again, groups = proposal.share, proposal.again, proposal.groups
    yield f"{name(metric)} {_reading(metric, share)}: ratio {share.ratio:.4g}"
    yield f"  pods: {_counts(groups)}"
    if again is not None:
        yield from (f"  {line}" for line in _doubts(metric, share, again, groups))
    decisive, pods = (share, groups.ready) if again is None else (again, again.pods)
    yield f"  {_outcome(tolerance, decisive.ratio, proposal.verdict, pods, proposal.replicas, _counted(again))}"


def _reading(metric: Metric, share: Share) -> str:
    if share.utilization is not None:
        requested = f"{share.total_m}m used of {share.requested_m}m requested"
        return f"{share.utilization} % of {metric.amount} % ({requested})"
    total, average = quantities.of_milli(share.total_m), quantities.of_milli(share.average_m)
    return f"{average} of {quantities.of_milli(metric.amount)} a pod ({total} over {_pods(share.pods)})"


def _counts(groups: Groups) -> str:
    kinds = (
        ("not ready yet", groups.unready),
        ("without a value", groups.missing),
        ("ignored (failed or being deleted)", groups.ignored),
    )
    found = [f"{groups.ready} ready"] + [f"{len(names)} {what}: {_listed(names)}" for what, names in kinds if names]
    return "; ".join(found)


def _doubts(metric: Metric, share: Share, again: Share, groups: Groups) -> Iterator[str]:
    """What stands in for the pods whose values are not there, or not to be believed."""
    if share.ratio == 1.0:
        yield "the ratio is 1: nothing stands in for the pods without a value"
        return
    up = share.ratio > 1.0
    if groups.missing:
        busy = f"{max(100, metric.amount)} % of its request" if share.utilization is not None else "its target"
        stand_in, side = ("0", "above") if up else (busy, "below")
        yield f"{_pods(len(groups.missing))} without a value: as {stand_in}, since the ratio is {side} 1"
    if groups.unready and up:
        yield f"{_pods(len(groups.unready))} not ready yet: as 0, since the ratio is above 1"
    yield f"with them {_reading(metric, again)}: ratio {again.ratio:.4g}"


def _whole(metric: Metric, tolerance: Tolerance, proposal: Whole) -> Iterator[str]:
    usage, target = quantities.of_milli(proposal.usage_m), quantities.of_milli(metric.amount)
    yield f"{name(metric)} {usage} of {target} for all pods: ratio {proposal.ratio:.4g}"
    if proposal.current == 0:
        yield f"  from 0 replicas there is no tolerance: {proposal.ratio:.4g} -> {proposal.replicas}"
    else:
        ready = proposal.ready or 0
        yield f"  {_outcome(tolerance, proposal.ratio, proposal.verdict, ready, proposal.replicas, 'ready pods')}"


def _split(metric: Metric, tolerance: Tolerance, proposal: Split) -> Iterator[str]:
    usage, target = quantities.of_milli(proposal.usage_m), quantities.of_milli(metric.amount)
    status = proposal.status_replicas
    yield f"{name(metric)} {usage} in all, target {target} a pod for {_pods(status)}: ratio {proposal.ratio:.4g}"
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
    return f"{band}: {shown}; {_KEPT[verdict]}: stays {replicas}"


def _product(product: float) -> str:
    """Two digits, or all where a float's last ones decide how it is rounded up."""
    shown = f"{product:.2f}"
    return shown if not math.isfinite(product) or math.ceil(float(shown)) == math.ceil(product) else repr(product)


def _counted(again: Share | None) -> str:
    return "ready pods" if again is None else "pods counted"


def _band(tolerance: Tolerance, ratio: float) -> str:
    what = "within" if tolerance.holds(ratio) else "outside"
    if tolerance.symmetrical:
        return f"{what} the tolerance: 1 is {abs(1.0 - ratio)!r} away, allowed is {tolerance.up:g}"
    return f"{what} the tolerance {1 - tolerance.down:.4g} to {1 + tolerance.up:.4g}"


def _pods(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"


def _listed(names: tuple[str, ...], most: int = 3) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
