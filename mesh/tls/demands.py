"""What the peers of a service demand of its certificate, beyond its validity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Demands:
    """The uses of a certificate, and the names that it must have.

    `names` maps each DNS or URI name to the place that demands it, such as `tls.supervisor of the game dragonfall`.
    """

    serves: bool = False
    calls: bool = False
    dns_name: bool = False  # any: gRPC's clients find a server by a DNS name only
    names: Mapping[str, str] = field(default_factory=dict)
