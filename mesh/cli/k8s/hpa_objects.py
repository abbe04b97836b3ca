"""Reads existing HPAs: from a folder with the rendered chart, or from a live cluster with kubectl."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mesh.catalog.deployment.autoscalers import Autoscaler
from mesh.cli.k8s.kubectl import kubectl_objects
from mesh.cli.k8s.manifests import read
from mesh.errors import Misconfigured


def rendered(folder: Path) -> list[Autoscaler]:
    """Reads the HPAs and ScaledObjects in the files of `folder`, which is named like the game.

    Prints a line to stderr for each input that it cannot use. Raises Misconfigured if it is not a folder, or if the
    folder has no HPA, or an HPA twice.
    """
    if not folder.is_dir():
        place, game = folder.parent, folder.name
        fix = (
            f"run `mesh k8s render FILE --to {place}` with the catalog before the change, or give --rendered or --live"
        )
        if place.name == game:
            fix = f"did you mean --rendered {place.parent}?"
        raise Misconfigured([f"{place}: has no folder {game}; {fix}"])
    manifests = read(folder)
    scalers = [(one.place, each) for one in manifests.found for each in _autoscalers([one.object])]
    for line in manifests.ignored:
        print(line, file=sys.stderr)
    if not scalers:
        problem = f"{folder}: has {len(manifests.found)} Kubernetes objects, but no HPA and no ScaledObject"
        raise Misconfigured([f"{problem}; write the output of `helm template` to {folder}/all.yaml"])
    first: dict[str, Path] = {}
    for place, scaler in scalers:
        if scaler.name in first:
            raise Misconfigured([f"{place}: the HPA {scaler.name} is also in {first[scaler.name]}; remove one of them"])
        first[scaler.name] = place
    return [scaler for _, scaler in scalers]


def live(game: str, kubectl: Sequence[str]) -> list[Autoscaler]:
    """Reads the HPAs and ScaledObjects of `game` from a cluster; `kubectl` is a command with its options.

    Raises Misconfigured with the message of kubectl if it fails.
    """
    found = kubectl_objects(kubectl, "horizontalpodautoscalers", game)
    try:
        found += kubectl_objects(kubectl, "scaledobjects.keda.sh", game)
    except Misconfigured as error:
        if "doesn't have a resource type" not in error.reason:  # a cluster without KEDA
            raise
    return list(_autoscalers(found))


def _autoscalers(objects: Iterable[Any]) -> Iterator[Autoscaler]:
    for one in objects:
        kind, name, spec = one.get("kind"), str((one.get("metadata") or {}).get("name", "")), one.get("spec") or {}
        if kind == "ScaledObject":
            yield Autoscaler("ScaledObject", name, _of_scaled_object(spec))
        elif kind == "HorizontalPodAutoscaler" and not name.startswith("keda-hpa-"):  # KEDA's name for a ScaledObject
            fields = {key: value for key, value in spec.items() if key != "scaleTargetRef"}
            yield Autoscaler("HorizontalPodAutoscaler", name, fields)


def _of_scaled_object(spec: Any) -> dict[str, Any]:
    behavior = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig", {}).get("behavior", {})
    thresholds = [trigger.get("metadata", {}).get("threshold") for trigger in spec.get("triggers") or ()]
    return {
        "minReplicaCount": spec.get("minReplicaCount"),
        "maxReplicaCount": spec.get("maxReplicaCount"),
        "threshold": thresholds[0] if len(thresholds) == 1 else thresholds,
        "behavior": behavior,
    }
