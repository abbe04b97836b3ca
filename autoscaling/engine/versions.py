"""Versions of Kubernetes, and the differences between their HPA controllers."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Controllers of older versions differ in more than this module distinguishes.
OLDEST = 30


@dataclass(frozen=True, slots=True)
class Version:
    """Kubernetes 1.`minor`."""

    minor: int

    @property
    def tolerance_is_symmetrical(self) -> bool:
        """Up to 1.32 `|1 - ratio| <= tolerance`; since then `1 - down <= ratio <= 1 + up`, which includes 1.1.

        Source: replica_calculator.go, `Tolerances.isWithin`, of kubernetes/kubernetes#130797 (KEP-4951).
        """
        return self.minor <= 32

    @property
    def tolerance_is_configurable(self) -> bool:
        """`behavior.*.tolerance` is effective from 1.35 (beta); in 1.33 and 1.34 an alpha gate disables it.

        Source: kubernetes/enhancements, keps/sig-autoscaling/4951-configurable-hpa-tolerance/kep.yaml
        """
        return self.minor >= 35


DEFAULT = Version(36)


def parse(text: str) -> Version:
    """Parses `1.36`, `v1.36` or `1.36.3`; raises ValueError."""
    found = re.fullmatch(r"v?1\.([0-9]{1,3})(\..*)?", text)
    if found is None:
        raise ValueError(f"{text!r} is not a Kubernetes version; write it as 1.36")
    if int(found[1]) < OLDEST:
        raise ValueError(f"Kubernetes {text} is older than 1.{OLDEST}, the oldest supported version")
    return Version(int(found[1]))
