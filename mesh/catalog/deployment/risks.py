"""Changes of a catalog that would take players from models that answer: what a check before an upgrade refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.names import model_name
from mesh.catalog.version import Version

_Risk = tuple[tuple[str, ...], str, str]


def risks(before: Catalog, then: Catalog, ready: Mapping[str, int] | None) -> Iterator[_Risk]:
    """Yields the place in the new catalog, the problem and the fix of each version that would lose its players.

    `before` is the catalog in force. `ready` is the number of ready replicas by Deployment; None if it is not known.
    """
    for name, version in before.versions.items():
        if name not in then.versions and (version.traffic > 0 or version.rollout is not None):
            has = "a plan gives it players" if version.rollout else f"it has {version.traffic:g} % of the players"
            problem = f"{name} is removed, but {has}"
            fix = "first give its players to other versions, with `traffic: 0`; remove it in a later upgrade"
            yield ("versions",), problem, fix
    for name, version in then.versions.items():
        old = before.versions[name].traffic if name in before.versions else 0
        if ready is not None and version.traffic > old and (missing := _missing(then.game, name, version, ready)):
            problem = f"gets {version.traffic:g} % of the players, but no replica of {', '.join(missing)} is ready"
            yield ("versions", name), problem, f"keep `traffic: {old:g}` until its pods are ready"


def _missing(game: str, name: str, version: Version, ready: Mapping[str, int]) -> list[str]:
    """The models without a ready replica; none if the version may get players without them."""
    homes = {model.name: model.home(name) for model in version.models}
    missing = [model for model, home in homes.items() if not ready.get(model_name(game, home, model), 0)]
    is_enough = version.ready == "quorum" and len(homes) - len(missing) >= version.quorum
    return [] if is_enough else missing
