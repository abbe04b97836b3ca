"""The rationale of a decision as data: every proposal, ratio, window and policy that contributed to it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from autoscaling.engine.hpa import Policy, Select

# How the ratio of a metric was used:
Verdict = Literal[
    "scaled",  # ceil(ratio x pods)
    "within tolerance",
    "direction reversed",  # the ratio with missing and unready pods is on the other side of 1: no change
    "against direction",  # ceil(ratio x pods) changes the replicas against the ratio's direction: no change
]


class UsageRatio(NamedTuple):
    """The usage of a set of pods relative to its target; `requested_m` is 0 unless the target is a utilization."""

    ratio: float
    total_m: int
    requested_m: int
    pods: int
    average_m: int
    utilization: int | None


class PodGroups(NamedTuple):
    """Names of the pods by group; `ready` is only a count."""

    ready: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


class PerPodProposal(NamedTuple):
    """Proposal of a metric with one value per pod.

    `adjusted` is the usage including missing and unready pods; None if there are no such pods.
    """

    replicas: int
    verdict: Verdict
    current: int
    usage: UsageRatio
    adjusted: UsageRatio | None
    groups: PodGroups


class ValueProposal(NamedTuple):
    """Proposal of an Object or External metric with a target of type Value, which is for all pods together.

    `ready` is the number of ready pods; None if the calculation did not need it.
    """

    replicas: int
    verdict: Verdict
    current: int
    usage_m: int
    ratio: float
    ready: int | None


class AverageValueProposal(NamedTuple):
    """Proposal of an Object or External metric with a target of type AverageValue.

    The value is divided by the scale's `status_replicas`.
    """

    replicas: int
    verdict: Verdict
    status_replicas: int
    usage_m: int
    average_m: int
    ratio: float


class NoProposal(NamedTuple):
    """A metric that failed; `text` is the controller's message."""

    text: str


Proposal = PerPodProposal | ValueProposal | AverageValueProposal | NoProposal


class Recommendation(NamedTuple):
    """The proposal of the metrics at `at_s`, before stabilisation and limits. Ordered by replicas, then time."""

    replicas: int
    at_s: float


class Stabilization(NamedTuple):
    """`lowest` recommendation of the scale-up window and `highest` of the scale-down window.

    Each is None if the window holds no earlier recommendation. Without a behavior, only `highest` is used, and
    `current` is None.
    """

    proposed: int
    current: int | None
    lowest: Recommendation | None
    highest: Recommendation | None
    replicas: int


class PolicyLimit(NamedTuple):
    """The limit of one policy. `start`: the replicas at the start of its period, computed from the events since."""

    policy: Policy
    added: int
    removed: int
    start: int
    limit: int


class AppliedLimits(NamedTuple):
    """The limits that reduce the stabilised `wanted` to `replicas`; `reason` is that of the condition ScalingLimited.

    `select` and `policies` belong to the direction of the change. `bound` is the limit of the policies and of
    minReplicas or maxReplicas together; None if no limit was needed.
    """

    wanted: int
    current: int
    select: Select | None
    policies: tuple[PolicyLimit, ...]
    bound: int | None
    replicas: int
    reason: str


Path = Literal["disabled", "above max", "below min", "no proposal", "metrics"]


class Rationale(NamedTuple):
    """The rationale of one decision, from `current` to `replicas`. `winner` is the index of the metric that decided."""

    path: Path
    at_s: float
    current: int
    min_replicas: int
    max_replicas: int
    proposals: tuple[Proposal, ...]
    winner: int | None
    stabilization: Stabilization | None
    limits: AppliedLimits | None
    replicas: int
