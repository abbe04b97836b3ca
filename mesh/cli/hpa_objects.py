"""The HPAs that are there: in a folder that the chart rendered, or in a live cluster by kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mesh.catalog.deployment.autoscalers import Autoscaler
from mesh.errors import Misconfigured

KUBECTL_S = 30


def rendered(folder: Path) -> list[Autoscaler]:
    """The HPAs and ScaledObjects in the YAML files of `folder`; raises Misconfigured when there is no such folder."""
    if not folder.is_dir():
        raise Misconfigured([f"{folder}: is no folder; render the chart into it, or give --rendered or --live"])
    return list(_autoscalers(one for file in sorted(folder.glob("*.yaml")) for one in _objects(file)))


def live(game: str, kubectl: Sequence[str]) -> list[Autoscaler]:
    """Those of `game` in the cluster that `kubectl`, a command with its options, reaches.

    Raises Misconfigured with kubectl's own words when it cannot.
    """
    found = _get(kubectl, "horizontalpodautoscalers", game)
    try:
        found += _get(kubectl, "scaledobjects.keda.sh", game)
    except Misconfigured as error:
        if "doesn't have a resource type" not in error.reason:  # a cluster without KEDA
            raise
    return list(_autoscalers(found))


def _get(kubectl: Sequence[str], kind: str, game: str) -> list[Any]:
    command = [*kubectl, "get", kind, "-l", f"ensemble-mesh/game={game}", "-o", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=KUBECTL_S, check=False)
    except FileNotFoundError:
        raise Misconfigured([f"{kubectl[0]}: is not installed; --live asks the cluster by it"]) from None
    except OSError as error:
        raise Misconfigured([f"{kubectl[0]}: cannot be run: {error.strerror}; --live asks the cluster by it"]) from None
    except subprocess.TimeoutExpired:
        raise Misconfigured(
            [f"the cluster did not answer within {KUBECTL_S} s; try again, or compare with --rendered"]
        ) from None
    if done.returncode:
        raise Misconfigured([done.stderr.strip() or f"{kubectl[0]}: ended with {done.returncode} and no word of why"])
    try:
        items: list[Any] = json.loads(done.stdout)["items"]
    except (ValueError, KeyError, TypeError):
        raise Misconfigured([f"{kubectl[0]}: answered what is no list: {done.stdout[:80]!r}; is it kubectl?"]) from None
    return items


def _objects(file: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured([f"{file}: cannot be read: {' '.join(str(error).split())}; render it anew"]) from error


def _autoscalers(objects: Iterable[Any]) -> Iterator[Autoscaler]:
    for one in objects:
        if not isinstance(one, dict):  # such as a patch, which is no object
            continue
        kind, name, spec = one.get("kind"), (one.get("metadata") or {}).get("name", ""), one.get("spec") or {}
        if kind == "ScaledObject":
            yield Autoscaler("ScaledObject", name, _of_scaled_object(spec))
        elif kind == "HorizontalPodAutoscaler" and not name.startswith("keda-hpa-"):  # KEDA's own, of a ScaledObject
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
