"""Port for discovery: the addresses of each model's replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mesh.catalog.served_model import served_model
from mesh.catalog.version import Model


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses (`host:port` or `[host]:port`) of all replicas, by (game, version, model).

    `serves` has the model of an address (`served_model`) if the source knows it.
    """

    addresses: Mapping[tuple[str, str, str], Sequence[str]] = field(default_factory=dict)
    serves: Mapping[str, str] = field(default_factory=dict)

    def of(self, game: str, version: str, model: str) -> Sequence[str]:
        """The addresses of one model's replicas; empty for an unknown model."""
        return self.addresses.get((game, version, model), ())

    def that_serve(self, game: str, version: str, model: Model) -> Sequence[str]:
        """The addresses of a model's replicas, without those that serve another entry of a catalog by this name."""
        served = served_model(model)
        return [one for one in self.of(game, version, model.name) if self.serves.get(one, served) == served]


class Discovery(Protocol):
    """Watches the replicas."""

    def watch(self) -> AsyncIterator[Endpoints]:
        """Yields the current endpoints, and the new ones after each change, without end.

        Yields nothing while the source is not available: the last endpoints stay valid.
        """
        ...
