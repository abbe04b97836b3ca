"""Candidates of the search: scaling settings of a Deployment, and a catalog with such settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.names import SHARED
from mesh.catalog.deployment.schedules import Schedule
from mesh.catalog.members import Member, Vote


@dataclass(frozen=True, slots=True)
class Candidate:
    """Scaling settings of a Deployment; `behavior` None: keep the behavior of the catalog."""

    percent: int
    min_replicas: int
    max_replicas: int
    behavior: Mapping[str, Any] | None
    schedule: tuple[Schedule, ...] = ()  # none: keep the schedule of the catalog

    def applied_to(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `block`, a model or a member of the catalog, with the settings of this candidate."""
        hpa = {**block.get("hpa", {}), "cpu_percent": self.percent}
        if self.behavior is not None:
            hpa["behavior"] = dict(self.behavior)
        schedule = {"schedule": [one.model_dump() for one in self.schedule]} if self.schedule else {}
        return {**block, "replicas": {"min": self.min_replicas, "max": self.max_replicas}, "hpa": hpa, **schedule}


def with_changes(catalog: Catalog, choice: Mapping[str, Candidate]) -> Catalog:
    """Returns `catalog` with the candidates of `choice`, by home/model; the home of a member is `shared`."""
    plain = catalog.model_dump(by_alias=True, exclude_unset=True)
    plain["members"] = [_changed(one, choice.get(f"{SHARED}/{one['name']}")) for one in plain.get("members", ())]
    for name, version in catalog.versions.items():
        block = plain["versions"][name]
        block["models"] = [
            _vote(values) if model.is_member else _changed(values, choice.get(f"{name}/{model.name}"))
            for model, values in zip(version.models, block["models"], strict=True)
        ]
    members = [Member.model_validate(one) for one in plain["members"]]
    return Catalog.model_validate(plain, context={"members": {one.name: one for one in members}})


def _changed(model: dict[str, Any], candidate: Candidate | None) -> dict[str, Any]:
    return model if candidate is None else candidate.applied_to(model)


def _vote(model: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a member in the list of a version's models."""
    return {"member": model["name"], **{key: model[key] for key in Vote.model_fields if key in model}}
