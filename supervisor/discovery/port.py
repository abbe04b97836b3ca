"""What the supervisor needs to know of the replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses (`host:port`, `[host]:port`) of every model's replicas, by (game, version, model)."""

    addresses: Mapping[tuple[str, str, str], Sequence[str]] = field(default_factory=dict)

    def of(self, game: str, version: str, model: str) -> Sequence[str]:
        """The replicas of one model; none if nothing is known of it."""
        return self.addresses.get((game, version, model), ())


class Discovery(Protocol):
    """Tells of the replicas, and of every change."""

    def watch(self) -> AsyncIterator[Endpoints]:
        """The endpoints as they are now, and anew after each change, for ever; keeps the last when it cannot look."""
        ...


def host_and_port(host: str, port: int) -> str:
    """The address of `port` on `host`; one of IPv6 needs brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
