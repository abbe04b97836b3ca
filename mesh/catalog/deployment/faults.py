"""Finds deployment settings that contradict each other or that Kubernetes would reject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.catalog import quantities
from mesh.catalog.deployment.autoscaling_v2 import ContainerResourceMetric
from mesh.catalog.deployment.blocks import Hpa, Resources, SupervisorDeployment, WorkerDeployment
from mesh.catalog.deployment.names import MAX_NAME_LENGTH, SHARED, model_name, supervisor_name
from mesh.catalog.deployment.overlay import overlay
from mesh.catalog.faults import Fault, Location, Tree, valid_part

# Valid quantities outside these bounds are mistakes, mostly of the suffix: `m` is a thousandth, `Gi` is not for cores.
# The upper bounds are more than the largest nodes have; with less memory than the lower bound, no worker starts.
_BOUNDS: Mapping[str, tuple[str, str, str]] = {
    "cpu": ("1m", "1024", "1 is a core, and 500m is half a core"),
    "cpu_limit": ("1m", "1024", "1 is a core, and 500m is half a core"),
    "memory": ("32Mi", "32Ti", "the unit is a byte; 256Mi is usual"),
    "ephemeral_storage": ("1Mi", "64Ti", "the unit is a byte; 1Gi is usual"),
}
_INHERITED = "a value that is not set here comes from the version, the game or the default"


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Yields each contradiction in the file once, at the level that sets the value; ignores invalid values."""
    supervisor = valid_part(SupervisorDeployment, tree.values.get("supervisor"), {}) or SupervisorDeployment()
    found = {
        fault.at: fault
        for fault in _scaling(tree, overlay(SupervisorDeployment, supervisor), "supervisor", [("supervisor",)])
    }
    game = str(tree.values.get("game"))
    yield from _length(tree, supervisor_name(game), ("game",))
    first: dict[str, Location] = {}
    for at, version, raw, scaled in _models(tree):
        levels = [at, ()] if at[0] == "members" else [at, at[:2], ()]
        for fault in _scaling(tree, scaled, "worker", levels):
            found.setdefault(fault.at, fault)  # all models of a game or version share the faults of that level
        yield from _name(tree, model_name(game, version, str(raw.get("name"))), at, first)
    yield from found.values()


def _models(tree: Tree) -> Iterator[tuple[Location, str, Mapping[str, Any], WorkerDeployment]]:
    """Yields the location of each model, its version, its raw values, and its effective settings; first the members."""
    game = _level(tree.values)
    members = tree.values.get("members")
    for position, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, dict):
            yield ("members", position), SHARED, member, overlay(WorkerDeployment, game, _level(member))
    versions = tree.values.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else ():
        models = version.get("models") if isinstance(version, dict) else None
        for position, model in enumerate(models if isinstance(models, list) else ()):
            if isinstance(model, dict) and "member" not in model:
                scaled = overlay(WorkerDeployment, game, _level(version), _level(model))
                yield ("versions", str(name), "models", position), str(name), model, scaled


def _level(values: Mapping[str, Any]) -> WorkerDeployment:
    own = {key: value for key, value in values.items() if key in WorkerDeployment.model_fields}
    return valid_part(WorkerDeployment, own, {}) or WorkerDeployment()


def _scaling(
    tree: Tree, scaled: WorkerDeployment | SupervisorDeployment, container: str, levels: Sequence[Location]
) -> Iterator[Fault]:
    """Yields the faults of effective settings. The `levels` can set them; the most specific level is first."""
    replicas, resources = scaled.replicas, scaled.resources
    if replicas.min > replicas.max:
        problem = f"min {replicas.min} is above max {replicas.max}"
        fix = f"lower min or raise max ({_INHERITED})"
        yield tree.fault(_setting_level(tree, levels, ("replicas",)), problem, fix)
    yield from _out_of_bounds(tree, resources, levels)
    for position, window in enumerate(scaled.schedule):
        if window.min > replicas.max:
            problem = f"{window.min} is above replicas.max {replicas.max}"
            fix = f"lower min or raise max ({_INHERITED})"
            yield tree.fault((*_setting_level(tree, levels, ("schedule",)), position, "min"), problem, fix)
    if resources.cpu_limit is not None and quantities.milli(resources.cpu) > quantities.milli(resources.cpu_limit):
        problem = f"cpu {resources.cpu} is above cpu_limit {resources.cpu_limit}"
        fix = f"lower cpu or raise cpu_limit ({_INHERITED})"
        yield tree.fault(_setting_level(tree, levels, ("resources",)), problem, fix)
    if isinstance(scaled, WorkerDeployment) and scaled.signal == "in_flight" and scaled.hpa.metrics is not None:
        problem = "metrics are set, but `signal: in_flight` defines the metrics"
        at = _setting_level(tree, levels, ("hpa", "metrics"), ("signal",))
        yield tree.fault(at, problem, "remove one of the two settings from the model or the game")
    yield from _containers(tree, scaled.hpa, container, _setting_level(tree, levels, ("hpa", "metrics")))


def _out_of_bounds(tree: Tree, resources: Resources, levels: Sequence[Location]) -> Iterator[Fault]:
    for name, (least, most, hint) in _BOUNDS.items():
        text = getattr(resources, name)
        if text is not None and not quantities.milli(least) <= quantities.milli(text) <= quantities.milli(most):
            problem = f"{text} is a valid quantity, but not a sensible one: it is not between {least} and {most}"
            yield tree.fault(
                _setting_level(tree, levels, ("resources", name)), problem, f"correct the number or its suffix ({hint})"
            )


def _containers(tree: Tree, hpa: Hpa, container: str, at: Location) -> Iterator[Fault]:
    for position, metric in enumerate(hpa.metrics or ()):
        if isinstance(metric, ContainerResourceMetric) and metric.container_resource.container != container:
            problem = f"the pods have no container {metric.container_resource.container!r}"
            yield tree.fault((*at, position, "containerResource", "container"), problem, f"use {container}")


def _setting_level(tree: Tree, levels: Sequence[Location], *keys: Location) -> Location:
    """Returns the location of one of `keys` in the first of `levels` that sets it."""
    locations = ((*level, *key) for level in levels for key in keys)
    return next((at for at in locations if at in tree.lines), (*levels[0], *keys[0]))


def _name(tree: Tree, name: str, at: Location, first: dict[str, Location]) -> Iterator[Fault]:
    yield from _length(tree, name, (*at, "name"))
    if first.setdefault(name, at)[:-1] != at[:-1]:
        problem = f"the Kubernetes name {name!r} is also that of a model of another version"
        yield tree.fault((*at, "name"), problem, "rename the version or the model")


def _length(tree: Tree, name: str, at: Location) -> Iterator[Fault]:
    if len(name) > MAX_NAME_LENGTH:
        problem = f"the Kubernetes name {name!r} has {len(name)} characters, but the limit is {MAX_NAME_LENGTH}"
        yield tree.fault(at, problem, "shorten the name of the game, the version or the model")
