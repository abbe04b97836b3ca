"""The types of Kubernetes' autoscaling/v2 that a catalog can hold, under Kubernetes' own names.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.alias_generators import to_camel

from mesh.block import Block, Text

# Binary and decimal suffixes, or an exponent; never negative here.
_SUFFIX = r"([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$"
_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)" + _SUFFIX
_POSITIVE_QUANTITY = r"^(0*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.[0-9]*[1-9][0-9]*)" + _SUFFIX


LARGEST = 2**31 - 1  # of the numbers that Kubernetes keeps in 32 bits


def _text(value: Any) -> Any:
    return str(value).removesuffix(".0") if isinstance(value, int | float) and not isinstance(value, bool) else value


# Quantities are text; YAML may also give a bare number.
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
    """A block that goes to the API server as it is: its keys are Kubernetes' own."""

    model_config = ConfigDict(alias_generator=to_camel)


class Requirement(KubernetesBlock):
    """One expression of a label selector."""

    key: Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[tuple[str, ...], Field(strict=False)] = ()


class LabelSelector(KubernetesBlock):
    """Which series of a metric count."""

    match_labels: Mapping[str, str] | None = None
    match_expressions: Annotated[tuple[Requirement, ...], Field(strict=False)] | None = None


class Identifier(KubernetesBlock):
    """A metric by its name, as the metrics API tells it."""

    name: Text
    selector: LabelSelector | None = None


class Utilization(KubernetesBlock):
    """A share of what the container requests."""

    type: Literal["Utilization"]
    average_utilization: int = Field(
        ge=1, le=LARGEST, description="percent of the request, the mean over the ready pods"
    )


class AverageValue(KubernetesBlock):
    """So much a pod."""

    type: Literal["AverageValue"]
    average_value: PositiveQuantity


class Value(KubernetesBlock):
    """So much for all pods together."""

    type: Literal["Value"]
    value: PositiveQuantity


def type(block: Any) -> str:  # noqa: A001 (a fault names the key by this function's name)
    """Tells blocks apart; the brackets mark a step that is no place in the file."""
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
    """A metric that each pod has of its own (custom.metrics.k8s.io)."""

    metric: Identifier
    target: AverageValue


class External(KubernetesBlock):
    """A metric that belongs to no object of the cluster (external.metrics.k8s.io)."""

    metric: Identifier
    target: SumTarget


class Described(KubernetesBlock):
    """The object that an Object metric is of."""

    api_version: Text | None = None
    kind: Text
    name: Text


class Object(KubernetesBlock):
    """A metric of one object of the cluster (custom.metrics.k8s.io)."""

    described_object: Described
    metric: Identifier
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
    """How far one direction may go within a period."""

    type: Literal["Pods", "Percent"]
    value: int = Field(ge=1, le=LARGEST)
    period_seconds: int = Field(ge=1, le=1800)


class ScalingRules(KubernetesBlock):
    """How one direction is slowed down."""

    stabilization_window_seconds: int | None = Field(None, ge=0, le=3600)
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: Annotated[tuple[Policy, ...], Field(strict=False, min_length=1)] | None = None
    tolerance: Quantity | None = Field(None, description="Kubernetes 1.35 and newer; before it every HPA has 0.1")


class Behavior(KubernetesBlock):
    """Both directions."""

    scale_up: ScalingRules = ScalingRules()
    scale_down: ScalingRules = ScalingRules()
