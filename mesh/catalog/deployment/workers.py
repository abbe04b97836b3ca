"""The workers of a catalog: one Deployment for each model of a version, and for each member that versions share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import WorkerDeployment
from mesh.catalog.deployment.names import SHARED, model_name
from mesh.catalog.deployment.overlay import overlay
from mesh.catalog.members import Member


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of one model file: `home` is the version of the model, or `shared` for a member.

    `settings` are the effective ones; `versions` are those that ask the model.
    """

    game: str
    home: str
    model: Member
    settings: WorkerDeployment
    versions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the Deployment."""
        return model_name(self.game, self.home, self.model.name)

    @property
    def key(self) -> tuple[str, str, str]:
        """The key in discovery, metrics and profiles: (game, home, model)."""
        return self.game, self.home, self.model.name

    @property
    def place(self) -> str:
        """The home and the name of the model, which are unique in a game: `2026-11/whales` or `shared/whales`."""
        return f"{self.home}/{self.model.name}"


def workers_of(catalog: Catalog) -> Iterator[Workers]:
    """Yields the workers of the members, then those of each version's own models."""
    for member in catalog.members:
        settings = overlay(WorkerDeployment, catalog, member)
        yield Workers(catalog.game, SHARED, member, settings, _voting(catalog, member.name))
    for name, version in catalog.versions.items():
        for model in version.models:
            if not model.is_member:
                yield Workers(catalog.game, name, model, overlay(WorkerDeployment, catalog, version, model), (name,))


def _voting(catalog: Catalog, member: str) -> tuple[str, ...]:
    versions = catalog.versions.items()
    return tuple(
        name for name, version in versions if any(one.is_member and one.name == member for one in version.models)
    )
