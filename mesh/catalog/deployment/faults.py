"""What a catalog says of the cluster that contradicts itself, or that the cluster would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.catalog import quantities
from mesh.catalog.deployment.autoscaling import ContainerResourceMetric
from mesh.catalog.deployment.blocks import Hpa, Scaled, SupervisorDeployment
from mesh.catalog.deployment.laying import laid_over
from mesh.catalog.deployment.names import LONGEST, model_name, supervisor_name
from mesh.catalog.faults import Fault, Step, Tree, salvage

Place = tuple[Step, ...]
_ELSEWHERE = "what is not given here comes from the version, the game or the default"


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Every one in the file, each once, where its last word is said; what cannot be read is passed over."""
    supervisor = salvage(SupervisorDeployment, tree.values.get("supervisor"), {}) or SupervisorDeployment()
    found = {
        fault.at: fault
        for fault in _scaling(tree, laid_over(SupervisorDeployment, supervisor), "supervisor", [("supervisor",)])
    }
    game = str(tree.values.get("game"))
    yield from _length(tree, supervisor_name(game), ("game",))
    first: dict[str, Place] = {}
    for at, version, raw, scaled in _models(tree):
        for fault in _scaling(tree, scaled, "worker", [at, at[:2], ()]):
            found.setdefault(fault.at, fault)  # one of the game, or of a version, is the same for all of its models
        yield from _name(tree, model_name(game, version, str(raw.get("name"))), at, first)
    yield from found.values()


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


def _scaling(
    tree: Tree, scaled: Scaled | SupervisorDeployment, container: str, levels: Sequence[Place]
) -> Iterator[Fault]:
    """Of what the `levels` come to, the last of them first."""
    replicas, resources = scaled.replicas, scaled.resources
    if replicas.min > replicas.max:
        problem = f"min {replicas.min} is above max {replicas.max}"
        mend = f"lower min or raise max ({_ELSEWHERE})"
        yield tree.fault(_last(tree, levels, ("replicas",)), problem, mend)
    if resources.cpu_limit is not None and quantities.milli(resources.cpu) > quantities.milli(resources.cpu_limit):
        problem = f"cpu {resources.cpu} is above cpu_limit {resources.cpu_limit}"
        mend = f"lower cpu or raise cpu_limit ({_ELSEWHERE})"
        yield tree.fault(_last(tree, levels, ("resources",)), problem, mend)
    if isinstance(scaled, Scaled) and scaled.signal == "in_flight" and scaled.hpa.metrics is not None:
        problem = "metrics are given, and signal: in_flight makes them"
        at = _last(tree, levels, ("hpa", "metrics"), ("signal",))
        yield tree.fault(at, problem, "remove one of the two, for a model or for the game")
    yield from _containers(tree, scaled.hpa, container, _last(tree, levels, ("hpa", "metrics")))


def _containers(tree: Tree, hpa: Hpa, container: str, at: Place) -> Iterator[Fault]:
    for position, metric in enumerate(hpa.metrics or ()):
        if isinstance(metric, ContainerResourceMetric) and metric.container_resource.container != container:
            problem = f"the pods have no container {metric.container_resource.container!r}"
            yield tree.fault((*at, position, "containerResource", "container"), problem, f"it is called {container}")


def _last(tree: Tree, levels: Sequence[Place], *keys: Place) -> Place:
    """Where one of `keys` is said at the last of `levels` that says it."""
    places = ((*level, *key) for level in levels for key in keys)
    return next((at for at in places if at in tree.lines), (*levels[0], *keys[0]))


def _name(tree: Tree, name: str, at: tuple[Step, ...], first: dict[str, tuple[Step, ...]]) -> Iterator[Fault]:
    yield from _length(tree, name, (*at, "name"))
    if first.setdefault(name, at)[:2] != at[:2]:
        problem = f"{name!r} would be a Kubernetes name twice, with another version's model"
        yield tree.fault((*at, "name"), problem, "rename the version or the model")


def _length(tree: Tree, name: str, at: tuple[Step, ...]) -> Iterator[Fault]:
    if len(name) > LONGEST:
        problem = f"{name!r} has {len(name)} characters, and a Kubernetes name at most {LONGEST}"
        yield tree.fault(at, problem, "shorten the name of the game, the version or the model")
