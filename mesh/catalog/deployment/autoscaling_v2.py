"""The types of the Kubernetes API autoscaling/v2 that a catalog can contain, with the keys of Kubernetes.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.alias_generators import to_camel

from mesh.block import Block, Text

# A quantity has a binary or decimal suffix or an exponent. Here it is never negative.
_SUFFIX = r"([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$"
_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)" + _SUFFIX
_POSITIVE_QUANTITY = r"^(0*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.[0-9]*[1-9][0-9]*)" + _SUFFIX

MAX_INT32 = 2**31 - 1


def _text(value: Any) -> Any:
    return str(value).removesuffix(".0") if isinstance(value, int | float) and not isinstance(value, bool) else value


# A quantity is text, but YAML can also contain a plain number.
Quantity = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern=_QUANTITY),
    WithJsonSchema({"type": ["string", "number"], "pattern": _QUANTITY, "minimum": 0}),
]
PositiveQuantity = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern=_POSITIVE_QUANTITY),
    WithJsonSchema({"type": ["string", "number"], "pattern": _POSITIVE_QUANTITY, "exclusiveMinimum": 0}),
]


class KubernetesBlock(Block):
    """A block that is sent to the API server unchanged: it has the keys of Kubernetes."""

    model_config = ConfigDict(alias_generator=to_camel)


class LabelSelectorRequirement(KubernetesBlock):
    """One expression of a label selector."""

    key: Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[tuple[str, ...], Field(strict=False)] = ()


class LabelSelector(KubernetesBlock):
    """Selects the series of a metric."""

    match_labels: Mapping[str, str] | None = None
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(strict=False)] | None = None


class MetricIdentifier(KubernetesBlock):
    """The name of a metric in the metrics API, and a selector of its series."""

    name: Text
    selector: LabelSelector | None = None


class Utilization(KubernetesBlock):
    """A target as a share of the resource request."""

    type: Literal["Utilization"]
    average_utilization: int = Field(ge=1, le=MAX_INT32, description="percent of the request, mean of all ready pods")


class AverageValue(KubernetesBlock):
    """A target for the mean of all pods."""

    type: Literal["AverageValue"]
    average_value: PositiveQuantity


class Value(KubernetesBlock):
    """A target for the sum of all pods."""

    type: Literal["Value"]
    value: PositiveQuantity


def type(block: Any) -> str:  # noqa: A001 (the text of a fault uses the name of this function as the key)
    """Returns the type of a block in brackets; the brackets mark a step that is not in the file."""
    return f"[{block.get('type') if isinstance(block, dict) else getattr(block, 'type', None)}]"


_BY_TYPE = Discriminator(type)

ResourceTarget = Annotated[
    Annotated[Utilization, Tag("[Utilization]")] | Annotated[AverageValue, Tag("[AverageValue]")], _BY_TYPE
]
SumTarget = Annotated[Annotated[AverageValue, Tag("[AverageValue]")] | Annotated[Value, Tag("[Value]")], _BY_TYPE]


class Resource(KubernetesBlock):
    """CPU or memory of whole pods."""

    name: Literal["cpu", "memory"]
    target: ResourceTarget


class ContainerResource(KubernetesBlock):
    """CPU or memory of one container of each pod."""

    name: Literal["cpu", "memory"]
    container: Text
    target: ResourceTarget


class Pods(KubernetesBlock):
    """A metric of each pod (custom.metrics.k8s.io)."""

    metric: MetricIdentifier
    target: AverageValue


class External(KubernetesBlock):
    """A metric that does not belong to an object of the cluster (external.metrics.k8s.io)."""

    metric: MetricIdentifier
    target: SumTarget


class CrossVersionObjectReference(KubernetesBlock):
    """The object that an Object metric describes."""

    api_version: Text | None = None
    kind: Text
    name: Text


class Object(KubernetesBlock):
    """A metric of one object of the cluster (custom.metrics.k8s.io)."""

    described_object: CrossVersionObjectReference
    metric: MetricIdentifier
    target: SumTarget


class ResourceMetric(KubernetesBlock):
    """`type: Resource`."""

    type: Literal["Resource"]
    resource: Resource


class ContainerResourceMetric(KubernetesBlock):
    """`type: ContainerResource`."""

    type: Literal["ContainerResource"]
    container_resource: ContainerResource


class PodsMetric(KubernetesBlock):
    """`type: Pods`."""

    type: Literal["Pods"]
    pods: Pods


class ExternalMetric(KubernetesBlock):
    """`type: External`."""

    type: Literal["External"]
    external: External


class ObjectMetric(KubernetesBlock):
    """`type: Object`."""

    type: Literal["Object"]
    object: Object


Metric = Annotated[
    Annotated[ResourceMetric, Tag("[Resource]")]
    | Annotated[ContainerResourceMetric, Tag("[ContainerResource]")]
    | Annotated[PodsMetric, Tag("[Pods]")]
    | Annotated[ExternalMetric, Tag("[External]")]
    | Annotated[ObjectMetric, Tag("[Object]")],
    _BY_TYPE,
]


class Policy(KubernetesBlock):
    """The maximum change in one direction within a period."""

    type: Literal["Pods", "Percent"]
    value: int = Field(ge=1, le=MAX_INT32)
    period_seconds: int = Field(ge=1, le=1800)


class ScalingRules(KubernetesBlock):
    """Limits of scaling in one direction."""

    stabilization_window_seconds: int | None = Field(None, ge=0, le=3600)
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: Annotated[tuple[Policy, ...], Field(strict=False, min_length=1)] | None = None
    tolerance: Quantity | None = Field(None, description="Kubernetes 1.35 and newer; older versions always use 0.1")


class Behavior(KubernetesBlock):
    """Limits of scaling in both directions."""

    scale_up: ScalingRules = ScalingRules()
    scale_down: ScalingRules = ScalingRules()
