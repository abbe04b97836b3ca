"""What a catalog says of the cluster that contradicts itself, or that the cluster would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.catalog_faults import Fault, Step, Tree, salvage
from mesh.deployment.autoscaling import ContainerResourceMetric
from mesh.deployment.blocks import Hpa, Replicas, Scaled, SupervisorDeployment
from mesh.deployment.laying import laid_over
from mesh.deployment.names import LONGEST, model_name, supervisor_name


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Every one in the file, each where its last word is said; what cannot be read is passed over."""
    supervisor = salvage(SupervisorDeployment, tree.values.get("supervisor"), {}) or SupervisorDeployment()
    supervisor = laid_over(SupervisorDeployment, supervisor)
    yield from _scaling(tree, supervisor.replicas, supervisor.hpa, "supervisor", ("supervisor",))
    game = str(tree.values.get("game"))
    yield from _length(tree, supervisor_name(game), ("game",))
    first: dict[str, tuple[Step, ...]] = {}
    for at, version, raw, scaled in _models(tree):
        yield from _scaling(tree, scaled.replicas, scaled.hpa, "worker", at)
        if scaled.signal == "in_flight" and scaled.hpa.metrics is not None:
            problem = "metrics are given, and signal: in_flight makes them"
            yield tree.fault((*at, "hpa", "metrics"), problem, "remove one of the two, for a model or for the game")
        yield from _name(tree, model_name(game, version, str(raw.get("name"))), at, first)


def _models(tree: Tree) -> Iterator[tuple[tuple[Step, ...], str, Mapping[str, Any], Scaled]]:
    """Each model's place, version, text, and what all levels come to for it."""
    game = _level(tree.values)
    versions = tree.values.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else ():
        models = version.get("models") if isinstance(version, dict) else None
        for position, model in enumerate(models if isinstance(models, list) else ()):
            if isinstance(model, dict):
                scaled = laid_over(Scaled, game, _level(version), _level(model))
                yield ("versions", str(name), "models", position), str(name), model, scaled


def _level(values: Mapping[str, Any]) -> Scaled:
    own = {key: value for key, value in values.items() if key in Scaled.model_fields}
    return salvage(Scaled, own, {}) or Scaled()


def _scaling(tree: Tree, replicas: Replicas, hpa: Hpa, container: str, at: tuple[Step, ...]) -> Iterator[Fault]:
    if replicas.min > replicas.max:
        problem = f"min {replicas.min} is above max {replicas.max}"
        mend = "lower min or raise max (what is not given here comes from the version, the game or the default)"
        yield tree.fault((*at, "replicas"), problem, mend)
    for position, metric in enumerate(hpa.metrics or ()):
        if isinstance(metric, ContainerResourceMetric) and metric.container_resource.container != container:
            problem = f"the pods have no container {metric.container_resource.container!r}"
            place = (*at, "hpa", "metrics", position, "containerResource", "container")
            yield tree.fault(place, problem, f"it is called {container}")


def _name(tree: Tree, name: str, at: tuple[Step, ...], first: dict[str, tuple[Step, ...]]) -> Iterator[Fault]:
    yield from _length(tree, name, (*at, "name"))
    if first.setdefault(name, at)[:2] != at[:2]:
        problem = f"{name!r} would be a Kubernetes name twice, with another version's model"
        yield tree.fault((*at, "name"), problem, "rename the version or the model")


def _length(tree: Tree, name: str, at: tuple[Step, ...]) -> Iterator[Fault]:
    if len(name) > LONGEST:
        problem = f"{name!r} has {len(name)} characters, and a Kubernetes name at most {LONGEST}"
        yield tree.fault(at, problem, "shorten the name of the game, the version or the model")
