"""One decision step by step, in words and numbers, as an operator would check it by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autoscaling import explain_metrics
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.rationale import Allowance, Limited, Reasoning, Recommended, Stabilized, Unknown

Clock = Callable[[float], str]


def seconds(at_s: float) -> str:
    """A time as the trace or the simulation counts it: `t = 915 s`."""
    return f"t = {at_s:g} s"


def explain(hpa: Hpa, reasoning: Reasoning, clock: Clock = seconds) -> Iterator[str]:
    """The lines of one decision; `clock` shows times. `hpa` is the one that the decision was made by."""
    allowed = f"{reasoning.min_replicas} to {reasoning.max_replicas} allowed"
    yield f"{clock(reasoning.at_s)}: {reasoning.current} replicas, {allowed}"
    if reasoning.path == "disabled":
        yield "0 replicas and a minimum above 0: a person switched scaling off; nothing is done"
    elif reasoning.path in ("above max", "below min"):
        yield f"{reasoning.path}: corrected at once, without metrics, stabilisation or policies"
    else:
        yield from _by_metrics(hpa, reasoning)
        if reasoning.stabilized is not None and reasoning.limited is not None:
            yield from _stabilized(hpa, reasoning.stabilized, clock)
            yield from _limited(hpa, reasoning.limited)
    change = "no change" if reasoning.replicas == reasoning.current else f"{reasoning.current} -> {reasoning.replicas}"
    yield f"decision: {change}"


def _by_metrics(hpa: Hpa, reasoning: Reasoning) -> Iterator[str]:
    proposals = reasoning.proposals
    for metric, proposal in zip(hpa.metrics, proposals, strict=True):
        yield from explain_metrics.lines(metric, hpa, proposal)
    failed = sum(isinstance(one, Unknown) for one in proposals)
    if reasoning.winner is None:
        why = "no metric can be read" if failed == len(proposals) else "a metric that fails forbids scaling down"
        yield f"{failed} of {len(proposals)} metrics failed: {why}"
    elif len(proposals) > 1:
        winner = explain_metrics.name(hpa.metrics[reasoning.winner])
        shown = ", ".join("none" if isinstance(one, Unknown) else str(one.replicas) for one in proposals)
        yield f"proposals {shown}: the highest counts, {winner}"


def _stabilized(hpa: Hpa, stabilized: Stabilized, clock: Clock) -> Iterator[str]:
    up_s = 0.0 if hpa.behavior is None else hpa.behavior.up.window_s
    down_s = hpa.flags.downscale_stabilization_s if hpa.behavior is None else hpa.behavior.down.window_s
    if hpa.behavior is not None:
        yield _window("up", up_s, "lowest", stabilized.lowest, stabilized.proposed, clock)
    yield _window("down", down_s, "highest", stabilized.highest, stabilized.proposed, clock)
    if stabilized.replicas != stabilized.proposed:
        yield f"stabilisation: {stabilized.proposed} becomes {stabilized.replicas}"


def _window(way: str, window_s: float, end: str, found: Recommended | None, proposed: int, clock: Clock) -> str:
    if found is None:
        return f"scale {way}, window {window_s:g} s: no earlier recommendation in it; {end} is {proposed}"
    earlier = f"{found.replicas} at {clock(found.at_s)}"
    return f"scale {way}, window {window_s:g} s: {end} earlier recommendation {earlier}, now {proposed}"


def _limited(hpa: Hpa, limited: Limited) -> Iterator[str]:
    up = limited.wanted > limited.current
    if limited.select == "Disabled":
        yield f"scaling {'up' if up else 'down'} is disabled: stays {limited.current}"
    for one in limited.allowances:
        yield f"policy {_allowance(one, up)}"
    if len(limited.allowances) > 1:
        yield f"selectPolicy {limited.select}: the {'most' if limited.select == 'Max' else 'least'} change counts"
    if hpa.behavior is None and limited.reason == "ScaleUpLimit":
        yield f"without a behavior at most double, or 4: {limited.bound}"
    if limited.replicas != limited.wanted:
        yield f"{_bound(hpa, limited)}: {limited.wanted} becomes {limited.replicas} ({limited.reason})"


def _allowance(one: Allowance, up: bool) -> str:
    policy = one.policy
    since = f" ({one.added} added, {one.removed} removed since)" if one.added or one.removed else ""
    bound = "at most" if up else "at least"
    return f"{policy.type} {policy.value} in {policy.period_s} s: from {one.start}{since} {bound} {one.limit}"


def _bound(hpa: Hpa, limited: Limited) -> str:
    if limited.reason == "TooManyReplicas":
        return f"max {hpa.max_replicas}"
    if limited.reason == "TooFewReplicas":
        return f"min {hpa.min_replicas}"
    return f"limit {limited.bound}"
