"""An HPA with every default filled in, and the controller's flags: what a decision goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
Target = Literal["Utilization", "AverageValue", "Value"]
Select = Literal["Max", "Min", "Disabled"]


@dataclass(frozen=True, slots=True)
class Flags:
    """The controller's flags. Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go"""

    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_delay_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from 1 a ratio may be before anything happens; `symmetrical` is the rule up to 1.32."""

    up: float
    down: float
    symmetrical: bool = False

    def holds(self, ratio: float) -> bool:
        """Whether `ratio` is near enough to 1; not a number never is."""
        if self.symmetrical:
            return abs(1.0 - ratio) <= self.up
        return (1.0 - self.down) <= ratio <= (1.0 + self.up)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and its target: `amount` is percent of the request (Utilization) or thousandths."""

    kind: Kind
    name: str
    target: Target
    amount: int
    container: str = ""
    selector: Mapping[str, Any] | None = field(default=None, hash=False)
    described: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """How far one direction may go within the last `period_s`."""

    type: Literal["Pods", "Percent"]
    value: int
    period_s: int


@dataclass(frozen=True, slots=True)
class Direction:
    """How one direction is slowed down."""

    window_s: float
    select: Select
    policies: tuple[Policy, ...]

    @property
    def longest_period_s(self) -> int:
        """After it, an event counts for no policy of this direction."""
        return max((policy.period_s for policy in self.policies), default=0)


@dataclass(frozen=True, slots=True)
class Behavior:
    """Both directions; an HPA without any goes by older rules."""

    up: Direction
    down: Direction


@dataclass(frozen=True, slots=True)
class Hpa:
    """All that one HPA's decisions depend on. `reference` names the scaled object in errors."""

    min_replicas: int
    max_replicas: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None
    tolerance: Tolerance
    flags: Flags
    namespace: str = "default"
    reference: str = "Deployment/default/?"
