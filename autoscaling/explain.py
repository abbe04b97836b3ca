"""Explains one decision step by step, with the numbers by which an operator can check it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autoscaling import explain_metrics
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.rationale import (
    AppliedLimits,
    NoProposal,
    PolicyLimit,
    Rationale,
    Recommendation,
    Stabilization,
)

Clock = Callable[[float], str]


def seconds(at_s: float) -> str:
    """Formats a time in seconds since the start: `t = 915 s`."""
    return f"t = {at_s:g} s"


def explain(hpa: Hpa, rationale: Rationale, clock: Clock = seconds) -> Iterator[str]:
    """Yields the lines that explain a decision for `hpa`; `clock` formats times."""
    allowed = f"{rationale.min_replicas} to {rationale.max_replicas} allowed"
    yield f"{clock(rationale.at_s)}: {rationale.current} replicas, {allowed}"
    if rationale.path == "disabled":
        yield "0 replicas and minReplicas above 0: scaling was disabled by hand"
    elif rationale.path in ("above max", "below min"):
        yield f"{rationale.path}: corrected at once, without metrics, stabilisation or policies"
    else:
        yield from _by_metrics(hpa, rationale)
        if rationale.stabilization is not None and rationale.limits is not None:
            yield from _stabilization(hpa, rationale.stabilization, clock)
            yield from _limits(hpa, rationale.limits)
    change = "no change" if rationale.replicas == rationale.current else f"{rationale.current} -> {rationale.replicas}"
    yield f"decision: {change}"


def _by_metrics(hpa: Hpa, rationale: Rationale) -> Iterator[str]:
    proposals = rationale.proposals
    for metric, proposal in zip(hpa.metrics, proposals, strict=True):
        yield from explain_metrics.lines(metric, hpa, proposal)
    failed = sum(isinstance(one, NoProposal) for one in proposals)
    if rationale.winner is None:
        reason = "no metric is available" if failed == len(proposals) else "a failed metric forbids scaling down"
        yield f"{failed} of {len(proposals)} metrics failed: {reason}"
    elif len(proposals) > 1:
        winner = explain_metrics.name(hpa.metrics[rationale.winner])
        shown = ", ".join("none" if isinstance(one, NoProposal) else str(one.replicas) for one in proposals)
        yield f"proposals {shown}: the highest counts, {winner}"


def _stabilization(hpa: Hpa, stabilization: Stabilization, clock: Clock) -> Iterator[str]:
    up_s = 0.0 if hpa.behavior is None else hpa.behavior.up.window_s
    down_s = hpa.flags.downscale_stabilization_s if hpa.behavior is None else hpa.behavior.down.window_s
    if hpa.behavior is not None:
        yield _window("up", up_s, "lowest", stabilization.lowest, stabilization.proposed, clock)
    yield _window("down", down_s, "highest", stabilization.highest, stabilization.proposed, clock)
    if stabilization.replicas != stabilization.proposed:
        yield f"stabilisation: {stabilization.proposed} becomes {stabilization.replicas}"


def _window(
    direction: str, window_s: float, end: str, found: Recommendation | None, proposed: int, clock: Clock
) -> str:
    if found is None:
        return f"scale {direction}: in the last {window_s:g} s there was no recommendation; now {proposed}"
    earlier = f"{found.replicas} ({clock(found.at_s)})"
    return f"scale {direction}: in the last {window_s:g} s the {end} recommendation was {earlier}; now {proposed}"


def _limits(hpa: Hpa, limits: AppliedLimits) -> Iterator[str]:
    up = limits.wanted > limits.current
    if limits.select == "Disabled":
        yield f"scaling {'up' if up else 'down'} is disabled: stays {limits.current}"
    for one in limits.policies:
        yield f"policy {_policy(one, up)}"
    if len(limits.policies) > 1:
        yield f"selectPolicy {limits.select}: the {'largest' if limits.select == 'Max' else 'smallest'} change counts"
    if hpa.behavior is None and limits.reason == "ScaleUpLimit":
        yield f"without a behavior at most double, or 4: {limits.bound}"
    if limits.replicas != limits.wanted:
        yield f"{_bound(hpa, limits)}: {limits.wanted} becomes {limits.replicas} ({limits.reason})"


def _policy(one: PolicyLimit, up: bool) -> str:
    policy = one.policy
    since = f" ({one.added} added, {one.removed} removed since)" if one.added or one.removed else ""
    bound = "at most" if up else "at least"
    return f"{policy.type} {policy.value} in {policy.period_s} s: from {one.start}{since} {bound} {one.limit}"


def _bound(hpa: Hpa, limits: AppliedLimits) -> str:
    if limits.reason == "TooManyReplicas":
        return f"max {hpa.max_replicas}"
    if limits.reason == "TooFewReplicas":
        return f"min {hpa.min_replicas}"
    return f"limit {limits.bound}"
