"""Reads the `spec` of an HPA into the engine's types and fills in the defaults of the API.

Source: pkg/apis/autoscaling/v2/defaults.go; pkg/apis/autoscaling/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from autoscaling.engine.hpa import Behavior, Flags, Hpa, Metric, Policy, ScalingRules, Tolerance
from autoscaling.engine.versions import DEFAULT, ONE_SIDED_TOLERANCE, TOLERANCE_OF_THE_HPA, Version
from mesh.block import Text
from mesh.catalog import quantities
from mesh.catalog.deployment import autoscaling_v2 as written
from mesh.errors import Misconfigured

_DEFAULT_DOWN_POLICIES = (Policy("Percent", 100, 15),)
_DEFAULT_UP_POLICIES = (Policy("Pods", 4, 15), Policy("Percent", 100, 15))
_DEFAULT_METRIC = Metric("Resource", "cpu", "Utilization", 80)


class ScaleTarget(written.KubernetesBlock):
    """The object that the HPA scales."""

    api_version: Text | None = None
    kind: Text
    name: Text


class Spec(written.KubernetesBlock):
    """`spec` of autoscaling/v2, without defaults."""

    scale_target_ref: ScaleTarget | None = None
    min_replicas: int | None = Field(None, ge=0)
    max_replicas: int = Field(ge=1)
    metrics: Annotated[tuple[written.Metric, ...], Field(strict=False)] | None = None
    behavior: written.Behavior | None = None


def read(
    spec: Mapping[str, Any],
    *,
    flags: Flags = Flags(),  # noqa: B008 (frozen)
    version: Version = DEFAULT,
    namespace: str = "default",
    place: str = "spec",
) -> Hpa:
    """Returns the HPA of `spec`; raises Misconfigured with all faults, each with a path that starts with `place`."""
    try:
        given = Spec.model_validate(_without_nulls(spec))
    except ValidationError as error:
        raise Misconfigured([_fault(place, one["loc"], one["msg"]) for one in error.errors()]) from None
    min_replicas = 1 if given.min_replicas is None else given.min_replicas
    if min_replicas > given.max_replicas:
        raise Misconfigured([f"{place}.maxReplicas: {given.max_replicas} is below minReplicas, {min_replicas}"])
    target = given.scale_target_ref
    return Hpa(
        min_replicas,
        given.max_replicas,
        tuple(map(_metric, given.metrics or ())) or (_DEFAULT_METRIC,),
        None if given.behavior is None else _behavior(given.behavior, flags),
        _tolerance(given.behavior, flags, version),
        flags,
        namespace,
        f"Deployment/{namespace}/?" if target is None else f"{target.kind}/{namespace}/{target.name}",
        version,
    )


def _without_nulls(value: Any) -> Any:
    """The API server treats null as absent."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list | tuple) else value


def _fault(place: str, at: tuple[str | int, ...], message: str) -> str:
    """Formats a fault. Steps in brackets are types of blocks, not parts of the path."""
    path = place
    for step in at:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not step.startswith("["):
            path += f".{step}"
    return f"{path}: {message[0].lower()}{message[1:]}"


def _metric(metric: Any) -> Metric:
    """Converts `metric`, a `written.Metric`."""
    if isinstance(metric, written.ResourceMetric):
        return Metric("Resource", metric.resource.name, *_target(metric.resource.target))
    if isinstance(metric, written.ContainerResourceMetric):
        of = metric.container_resource
        return Metric("ContainerResource", of.name, *_target(of.target), container=of.container)
    if isinstance(metric, written.PodsMetric):
        return Metric("Pods", metric.pods.metric.name, *_target(metric.pods.target), selector=_selector(metric.pods))
    if isinstance(metric, written.ExternalMetric):
        source = metric.external
        return Metric("External", source.metric.name, *_target(source.target), selector=_selector(source))
    described = _dump(metric.object.described_object)
    target, selector = _target(metric.object.target), _selector(metric.object)
    return Metric("Object", metric.object.metric.name, *target, selector=selector, described_object=described)


def _selector(source: written.Pods | written.External | written.Object) -> Mapping[str, Any] | None:
    return None if source.metric.selector is None else _dump(source.metric.selector)


def _dump(block: written.KubernetesBlock) -> Mapping[str, Any]:
    return block.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _target(target: written.Utilization | written.AverageValue | written.Value) -> tuple[Any, int]:
    if isinstance(target, written.Utilization):
        return "Utilization", target.average_utilization
    amount = target.value if isinstance(target, written.Value) else target.average_value
    return target.type, quantities.milli(amount)


def _behavior(behavior: written.Behavior, flags: Flags) -> Behavior:
    up, down = behavior.scale_up, behavior.scale_down
    return Behavior(
        _scaling_rules(up, 0.0, _DEFAULT_UP_POLICIES),
        _scaling_rules(down, flags.downscale_stabilization_s, _DEFAULT_DOWN_POLICIES),
    )


def _scaling_rules(rules: written.ScalingRules, window_s: float, policies: tuple[Policy, ...]) -> ScalingRules:
    """A list of policies replaces all default policies; the other fields have separate defaults."""
    given = rules.policies
    return ScalingRules(
        window_s if rules.stabilization_window_seconds is None else rules.stabilization_window_seconds,
        rules.select_policy or "Max",
        policies if given is None else tuple(Policy(one.type, one.value, one.period_seconds) for one in given),
    )


def _tolerance(behavior: written.Behavior | None, flags: Flags, version: Version) -> Tolerance:
    up, down = flags.tolerance, flags.tolerance
    if behavior is not None and version.has(TOLERANCE_OF_THE_HPA):
        up = _tolerance_of(behavior.scale_up.tolerance, up)
        down = _tolerance_of(behavior.scale_down.tolerance, down)
    return Tolerance(up, down, not version.has(ONE_SIDED_TOLERANCE))


def _tolerance_of(written_tolerance: str | None, default: float) -> float:
    return default if written_tolerance is None else quantities.approximate(written_tolerance)
