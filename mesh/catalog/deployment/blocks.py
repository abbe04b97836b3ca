"""The catalog's blocks for the cluster: images, replicas, resources, autoscaling, and what all pods of a game share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh import __version__
from mesh.block import Block, Text
from mesh.catalog.deployment.autoscaling import LARGEST, Behavior, Metric, Policy, PositiveQuantity, ScalingRules

EngineChoice = Literal["auto", "lightgbm"]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]*$", max_length=500)]
Items = Annotated[tuple[Mapping[str, Any], ...], Field(strict=False)]
Names = Annotated[tuple[Text, ...], Field(strict=False)]
Port = Annotated[int, Field(ge=1, le=65535)]

# What the API server would fill in anyway, written out so that each number can be read, and changed by itself.
_BEHAVIOR = Behavior(
    scaleUp=ScalingRules(
        stabilizationWindowSeconds=0,
        selectPolicy="Max",
        policies=(
            Policy(type="Percent", value=100, periodSeconds=15),
            Policy(type="Pods", value=4, periodSeconds=15),
        ),
    ),
    scaleDown=ScalingRules(
        stabilizationWindowSeconds=300,
        selectPolicy="Max",
        policies=(Policy(type="Percent", value=100, periodSeconds=15),),
    ),
)


class Replicas(Block):
    """How many pods the HPA may make."""

    min: int = Field(2, ge=1, le=LARGEST, description="two, so that a node can be drained")
    max: int = Field(10, ge=1, le=LARGEST, description="never more, whatever the load")


class Resources(Block):
    """What a pod asks for. Its memory limit equals its request: a pod is never killed for what others use."""

    cpu: PositiveQuantity = Field("500m", description="the request; the HPA's percentages are of it")
    cpu_limit: PositiveQuantity | None = Field(None, description="none by default: a busy replica may use idle CPU")
    memory: PositiveQuantity = Field("256Mi", description="request and limit")
    ephemeral_storage: PositiveQuantity = Field("1Gi", description="request and limit: models from S3 are kept here")


class Hpa(Block):
    """The HorizontalPodAutoscaler of one Deployment: autoscaling/v2 under Kubernetes' own names."""

    cpu_percent: int = Field(
        60, ge=1, le=LARGEST, description="mean CPU of the worker container, percent of its request"
    )
    metrics: Annotated[tuple[Metric, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="replaces the CPU metric, whole"
    )
    behavior: Behavior = Field(_BEHAVIOR, description="merged over the default; a list of policies replaces the whole")


class Keda(Block):
    """Has KEDA own the HPA, and ask Prometheus itself."""

    prometheus: Text = Field(description="Prometheus' address, such as http://prometheus.monitoring:9090")
    authentication: Text | None = Field(None, description="the name of a TriggerAuthentication")


class InFlight(Block):
    """What `signal: in_flight` scales on: a model's rows that wait for a replica, or are with one."""

    rows: PositiveQuantity = Field("16", description="rows in flight that one replica should have")
    metric: Text = Field("mesh_rows_in_flight", description="its name in external.metrics.k8s.io")
    keda: Keda | None = Field(None, description="a ScaledObject instead of an HPA")


class Scaled(Block):
    """How a model runs. The game's values hold for every model; a version's, then a model's go over."""

    image: Image = Field(f"ensemble-mesh/model-worker:{__version__}", description="the worker's image")
    engine: EngineChoice = Field(
        "auto", description="what scores: lightgbm; or auto, our own where it is proved for the model, else LightGBM"
    )
    replicas: Replicas = Replicas()
    resources: Resources = Resources()
    signal: Literal["cpu", "in_flight"] = Field("cpu", description="what the HPA scales on")
    in_flight: InFlight = InFlight()
    hpa: Hpa = Hpa()


class SupervisorResources(Resources):
    """One event loop saturates one core."""

    cpu: PositiveQuantity = Field("1", description="the request; the HPA's percentages are of it")
    memory: PositiveQuantity = Field("512Mi", description="request and limit; the cache of players is in it")
    ephemeral_storage: PositiveQuantity = Field("100Mi", description="request and limit")


class SupervisorHpa(Hpa):
    """Scales on CPU: rows in flight grow when workers are slow, and would scale the wrong tier."""

    cpu_percent: int = Field(
        65, ge=1, le=LARGEST, description="mean CPU of the supervisor container, percent of its request"
    )


class SupervisorDeployment(Block):
    """How the supervisor runs in the cluster."""

    image: Image = Field(f"ensemble-mesh/supervisor:{__version__}", description="the supervisor's image")
    replicas: Replicas = Replicas()
    resources: SupervisorResources = SupervisorResources()
    hpa: SupervisorHpa = SupervisorHpa()


class NetworkPolicies(Block):
    """Who may talk to whom. Without them every pod of the cluster may talk to every worker."""

    enabled: bool = True
    callers: Items = Field((), description="NetworkPolicyPeers that may call the supervisor; none: any pod")
    ports: Annotated[tuple[Port, ...], Field(strict=False)] = Field(
        (443, 6443), description="TCP ports outside that the supervisor, and workers with models on S3, may reach"
    )


class Monitoring(Block):
    """Objects for the Prometheus operator and Grafana; their kinds must be known to the cluster."""

    enabled: bool = False
    dashboards: bool = Field(True, description="a ConfigMap with Grafana's dashboards; one game's are enough for all")
    namespace: Text = Field("monitoring", description="where Prometheus runs: it may read the metrics")
    labels: Mapping[str, str] = Field(
        default_factory=dict, description="of PodMonitors and rules, such as `release: NAME`, by which they are chosen"
    )


class Kubernetes(Block):
    """What all pods of the game share."""

    discovery: Literal["endpoint_slices", "dns"] = Field(
        "endpoint_slices", description="how the supervisor finds replicas; dns: without RBAC, and seconds later"
    )
    files: Mapping[str, Any] | None = Field(
        None, description="a volume source that holds the files which the catalog names by relative paths"
    )
    host: Text = Field("0.0.0.0", description="the address that pods listen on; `::` where there is only IPv6")
    load_s: int = Field(180, ge=1, le=3600, description="how long a model may take until it is served")
    image_pull_secrets: Names = ()
    service_account_annotations: Mapping[str, str] = Field(
        default_factory=dict, description="such as eks.amazonaws.com/role-arn, for DynamoDB and S3"
    )
    env: Mapping[str, str] = Field(default_factory=dict, description="environment of every pod")
    secrets: Names = Field((), description="Secrets whose keys become environment variables of every pod")
    node_selector: Mapping[str, str] = Field(default_factory=dict)
    tolerations: Items = ()
    priority_class: Text | None = None
    network_policies: NetworkPolicies = NetworkPolicies()
    monitoring: Monitoring = Monitoring()
