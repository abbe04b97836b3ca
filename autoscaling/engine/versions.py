"""Versions of Kubernetes, and the differences between their HPA controllers.

`DIFFERENCES` lists the rules that changed between 1.30 and 1.36. The tests' traces hold the rules of 1.36 exactly. A
newer version counts as 1.36.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule of the controller that is effective from Kubernetes 1.`since` on. `source`: the change upstream."""

    since: int
    rule: str
    before: str
    source: str


ONE_SIDED_TOLERANCE = Difference(
    33,
    "a ratio r is within the tolerance if 1 - down <= r <= 1 + up, which includes 1.1",
    "if |1 - r| <= tolerance, which in floating point excludes 1.1",
    "kubernetes/kubernetes#130797, replica_calculator.go: Tolerances.isWithin",
)
MISSING_CONTAINER_IS_A_MISSING_POD = Difference(
    33,
    "a pod whose metrics lack the container of a ContainerResource metric is a pod without metrics",
    "the metric fails",
    "kubernetes/kubernetes#127193, metrics/client.go: getContainerMetrics",
)
CAPPED_AVERAGE_VALUE = Difference(
    34,
    "the replicas of an External metric with an AverageValue, its sum and its average are capped",
    "they overflow: above 2^31 - 1 replicas, the HPA scales to its minimum",
    "kubernetes/kubernetes#127050, replica_calculator.go: GetExternalPerPodMetricReplicas",
)
TOLERANCE_OF_THE_HPA = Difference(
    35,
    "behavior.scaleUp.tolerance and scaleDown.tolerance are effective (beta)",
    "ignored; in 1.33 and 1.34 an alpha gate disables them",
    "kubernetes/enhancements, keps/sig-autoscaling/4951-configurable-hpa-tolerance/kep.yaml",
)
CAPPED_VALUE = Difference(
    35,
    "the replicas of an Object or External metric with a Value are capped, if there are replicas",
    "they overflow",
    "kubernetes/kubernetes#126979, replica_calculator.go: getUsageRatioReplicaCount",
)
CAPPED_SUM = Difference(
    35,
    "the sum of an External metric with a Value is capped",
    "it overflows: above 2^63 - 1 thousandths, it is negative",
    "kubernetes/kubernetes#133888, replica_calculator.go: GetExternalMetricReplicas",
)
DIFFERENCES = (
    ONE_SIDED_TOLERANCE,
    MISSING_CONTAINER_IS_A_MISSING_POD,
    CAPPED_AVERAGE_VALUE,
    TOLERANCE_OF_THE_HPA,
    CAPPED_VALUE,
    CAPPED_SUM,
)
# Controllers of older versions differ in more than `DIFFERENCES`.
OLDEST = 30


@dataclass(frozen=True, slots=True)
class Version:
    """Kubernetes 1.`minor`."""

    minor: int

    def has(self, difference: Difference) -> bool:
        """Returns whether the controller of this version follows the newer rule."""
        return self.minor >= difference.since


DEFAULT = Version(36)


def parse(text: str) -> Version:
    """Parses `1.36`, `v1.36` or `1.36.3`; raises ValueError."""
    found = re.fullmatch(r"v?1\.([0-9]{1,3})(\..*)?", text)
    if found is None:
        raise ValueError(f"{text!r} is not a Kubernetes version; write it as 1.36")
    if int(found[1]) < OLDEST:
        raise ValueError(f"Kubernetes {text} is older than 1.{OLDEST}, the oldest supported version")
    return Version(int(found[1]))
