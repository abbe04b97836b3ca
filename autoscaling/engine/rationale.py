"""Why a decision came out as it did, as data: every proposal, ratio, window and policy that took part."""

from __future__ import annotations

from typing import Literal, NamedTuple

from autoscaling.engine.hpa import Policy, Select

# What became of a metric's ratio:
Verdict = Literal[
    "scaled",  # ceil(ratio x pods)
    "within tolerance",
    "turned",  # with the missing and unready pods the ratio is on the other side of 1
    "held",  # ceil(ratio x pods) would go against the ratio's direction
]


class Share(NamedTuple):
    """How much of its target a set of pods uses; `requested_m` is 0 where the target is no share of requests."""

    ratio: float
    total_m: int
    requested_m: int
    pods: int
    average_m: int
    utilization: int | None


class Groups(NamedTuple):
    """The pods' names by how they count; `ready` only counts them."""

    ready: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


class PerPod(NamedTuple):
    """A metric that each pod has. `again` is the share once missing and unready pods are counted in, if any are."""

    replicas: int
    verdict: Verdict
    current: int
    share: Share
    again: Share | None
    groups: Groups


class Whole(NamedTuple):
    """An Object or External metric with a target for all pods together; `ready` is None where nobody counted."""

    replicas: int
    verdict: Verdict
    current: int
    usage_m: int
    ratio: float
    ready: int | None


class Split(NamedTuple):
    """An Object or External metric with a target for one pod; it is shared by the scale's `status_replicas`."""

    replicas: int
    verdict: Verdict
    status_replicas: int
    usage_m: int
    average_m: int
    ratio: float


class Unknown(NamedTuple):
    """A metric that gave no proposal; `text` is what the controller says."""

    text: str


Proposal = PerPod | Whole | Split | Unknown


class Recommended(NamedTuple):
    """What was proposed at `at_s`, before stabilisation and limits. Ordered by replicas, then time."""

    replicas: int
    at_s: float


class Stabilized(NamedTuple):
    """`lowest` of the scale-up's window and `highest` of the scale-down's; None: nothing in it but `proposed`.

    Without a behavior there is only `highest`, and `current` does not take part.
    """

    proposed: int
    current: int | None
    lowest: Recommended | None
    highest: Recommended | None
    replicas: int


class Allowance(NamedTuple):
    """What one policy allows: `start` is the replicas at the start of its period, by the events since."""

    policy: Policy
    added: int
    removed: int
    start: int
    limit: int


class Limited(NamedTuple):
    """The way from the stabilised `wanted` to `replicas`; `reason` is ScalingLimited's.

    `select` and `allowances` are of the direction that was asked for; `bound` is what they and min or max come to,
    None where there is nothing to bound.
    """

    wanted: int
    current: int
    select: Select | None
    allowances: tuple[Allowance, ...]
    bound: int | None
    replicas: int
    reason: str


Path = Literal["disabled", "above max", "below min", "unknown", "metrics"]


class Reasoning(NamedTuple):
    """One decision, from `current` to `replicas`. `winner` is the place of the metric that proposed most."""

    path: Path
    at_s: float
    current: int
    min_replicas: int
    max_replicas: int
    proposals: tuple[Proposal, ...]
    winner: int | None
    stabilized: Stabilized | None
    limited: Limited | None
    replicas: int
