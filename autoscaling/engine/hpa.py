"""An HPA with all defaults filled in, and the flags of the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from autoscaling.engine.versions import DEFAULT, Version

Kind = Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
Target = Literal["Utilization", "AverageValue", "Value"]
Select = Literal["Max", "Min", "Disabled"]


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the controller. Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go"""

    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_delay_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The distance of a ratio from 1 that causes no change; `symmetrical` is the rule up to Kubernetes 1.32."""

    up: float
    down: float
    symmetrical: bool = False

    def holds(self, ratio: float) -> bool:
        """Returns whether `ratio` is within the tolerance; NaN never is."""
        if self.symmetrical:
            return abs(1.0 - ratio) <= self.up
        return (1.0 - self.down) <= ratio <= (1.0 + self.up)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and its target. `amount` is in percent of the request (Utilization), otherwise in thousandths."""

    kind: Kind
    name: str
    target: Target
    amount: int
    container: str = ""
    selector: Mapping[str, Any] | None = field(default=None, hash=False)
    described_object: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """A scaling policy: the maximum change of the replicas within `period_s`."""

    type: Literal["Pods", "Percent"]
    value: int
    period_s: int


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """The scaling rules of one direction: stabilisation window and policies."""

    window_s: float
    select: Select
    policies: tuple[Policy, ...]

    @property
    def longest_period_s(self) -> int:
        """The longest period of all policies; no policy counts an older event."""
        return max((policy.period_s for policy in self.policies), default=0)


@dataclass(frozen=True, slots=True)
class Behavior:
    """The scaling rules of both directions. Older rules apply to an HPA without a behavior."""

    up: ScalingRules
    down: ScalingRules


@dataclass(frozen=True, slots=True)
class Hpa:
    """All settings that the decisions of one HPA depend on. `reference` names the scaled object in errors.

    `version`: the rules of the controller.
    """

    min_replicas: int
    max_replicas: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None
    tolerance: Tolerance
    flags: Flags
    namespace: str = "default"
    reference: str = "Deployment/default/?"
    version: Version = DEFAULT
