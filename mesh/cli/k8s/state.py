"""Reads the catalog in force and the ready replicas, from a folder with the rendered chart or from a live cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.cli.k8s.kubectl import kubectl_objects
from mesh.cli.k8s.manifests import read
from mesh.errors import Misconfigured

KEY = "mesh.yaml"


@dataclass(frozen=True, slots=True)
class State:
    """The catalog in force, None if there is none without faults; ready replicas by Deployment, None if not known."""

    catalog: Catalog | None
    ready: Mapping[str, int] | None


def rendered(folder: Path, game: str) -> State:
    """Reads the state from the files of `folder`."""
    return State(_catalog((one.object for one in read(folder).found), game), None)


def live(game: str, kubectl: Sequence[str]) -> State:
    """Reads the state from a cluster; raises Misconfigured with the message of kubectl if it fails."""
    deployments = kubectl_objects(kubectl, "deployments", game)
    ready = {one["metadata"]["name"]: int(one.get("status", {}).get("readyReplicas", 0)) for one in deployments}
    return State(_catalog(kubectl_objects(kubectl, "configmaps", game), game), ready)


def _catalog(objects: Iterable[Any], game: str) -> Catalog | None:
    name = f"{game}-catalog"
    for one in objects:
        metadata, data = one.get("metadata") or {}, one.get("data") or {}
        if one.get("kind") == "ConfigMap" and metadata.get("name") == name and isinstance(data.get(KEY), str):
            try:
                return catalogs.read(Path("configmap", name), None, data[KEY]).catalog
            except Misconfigured:
                return None
    return None
