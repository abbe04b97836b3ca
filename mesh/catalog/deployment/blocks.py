"""The catalog blocks for Kubernetes: images, replicas, resources, autoscaling, and settings for all pods of a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh import __version__
from mesh.address import HOST_AND_PORT
from mesh.block import Block, Text
from mesh.catalog.deployment.autoscaling_v2 import MAX_INT32, Behavior, Metric, Policy, PositiveQuantity, ScalingRules
from mesh.catalog.deployment.network import NetworkPolicies
from mesh.catalog.deployment.pods import Names, Pod
from mesh.catalog.deployment.schedules import Schedule
from mesh.catalog.deployment.tls import CheckedTls, PodTls

EngineChoice = Literal["auto", "lightgbm"]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]*$", max_length=500)]
Schedules = Annotated[tuple[Schedule, ...], Field(strict=False)]

# The defaults of the API server, written out so that you can see each number and change it alone.
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
    """The limits of the HPA: minimum and maximum number of pods."""

    min: int = Field(2, ge=1, le=MAX_INT32, description="at least two, so that a node can be drained")
    max: int = Field(10, ge=1, le=MAX_INT32, description="upper limit, whatever the load")


class Resources(Block):
    """Requests and limits of a pod. The memory limit equals the request, so the memory of other pods has no effect."""

    cpu: PositiveQuantity = Field("500m", description="request; the targets of the HPA are percentages of it")
    cpu_limit: PositiveQuantity | None = Field(
        None, description="default: none, so that a busy replica can use idle CPU"
    )
    memory: PositiveQuantity = Field("256Mi", description="request and limit")
    ephemeral_storage: PositiveQuantity = Field("1Gi", description="request and limit; models from S3 are stored here")


class Hpa(Block):
    """The HorizontalPodAutoscaler of one Deployment: autoscaling/v2, with the keys of Kubernetes."""

    cpu_percent: int = Field(
        60, ge=1, le=MAX_INT32, description="target CPU of the worker container, percent of its request"
    )
    metrics: Annotated[tuple[Metric, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="metrics to use instead of the CPU metric"
    )
    behavior: Behavior = Field(_BEHAVIOR, description="merged with the default; lists of policies are replaced")


class Keda(Block):
    """Makes KEDA create the HPA and query Prometheus."""

    prometheus: Text = Field(description="address of Prometheus, such as http://prometheus.monitoring:9090")
    authentication: Text | None = Field(None, description="name of a TriggerAuthentication")


class InFlight(Block):
    """The metric of `signal: in_flight`: rows of a model that are queued or being scored."""

    rows: PositiveQuantity = Field("16", description="target number of rows in flight per replica")
    metric: Text = Field("mesh_rows_in_flight", description="name of the metric in external.metrics.k8s.io")
    keda: Keda | None = Field(None, description="creates a ScaledObject instead of an HPA")


class WorkerDeployment(Block):
    """How the workers of a model run. A model overrides its version, and a version overrides the game."""

    image: Image = Field(f"ensemble-mesh/model-worker:{__version__}", description="image of the model worker")
    engine: EngineChoice = Field(
        "auto", description="scoring engine: lightgbm; or auto: our own if it is proved for the model, else LightGBM"
    )
    replicas: Replicas = Replicas()
    resources: Resources = Resources()
    signal: Literal["cpu", "in_flight"] = Field("cpu", description="metric of the HPA")
    in_flight: InFlight = InFlight()
    hpa: Hpa = Hpa()
    schedule: Schedules = Field((), description="windows with more minimum replicas")
    pod: Pod = Field(Pod(), description="settings of the pods, over those of `kubernetes`")


class SupervisorResources(Resources):
    """Requests and limits of a supervisor pod. One event loop uses at most one core."""

    cpu: PositiveQuantity = Field("1", description="request; the targets of the HPA are percentages of it")
    memory: PositiveQuantity = Field("512Mi", description="request and limit; includes the cache of players")
    ephemeral_storage: PositiveQuantity = Field("100Mi", description="request and limit")


class SupervisorHpa(Hpa):
    """The HPA of the supervisor. It scales on CPU, because rows in flight also grow when the workers are slow."""

    cpu_percent: int = Field(
        65, ge=1, le=MAX_INT32, description="target CPU of the supervisor container, percent of its request"
    )


class SupervisorDeployment(Block):
    """How the supervisor runs in Kubernetes."""

    image: Image = Field(f"ensemble-mesh/supervisor:{__version__}", description="image of the supervisor")
    replicas: Replicas = Replicas()
    resources: SupervisorResources = SupervisorResources()
    hpa: SupervisorHpa = SupervisorHpa()
    schedule: Schedules = Field((), description="windows with more minimum replicas")
    pod: Pod = Field(Pod(), description="settings of the pods, over those of `kubernetes`")


class Monitoring(Block):
    """Objects for the Prometheus Operator and Grafana; the cluster must have their CRDs."""

    enabled: bool = False
    dashboards: bool = Field(True, description="ConfigMap with dashboards for Grafana; one game is enough")
    namespace: Text = Field("monitoring", description="namespace of Prometheus, which may read the metrics")
    labels: Mapping[str, str] = Field(
        default_factory=dict,
        description="labels by which Prometheus selects monitors and rules, such as `release: NAME`",
    )


class Traces(Block):
    """Export of traces over OTLP."""

    to: Annotated[str, Field(pattern=f"^{HOST_AND_PORT}$")] | None = Field(
        None, description="HOST:PORT of the collector; without it, there are no traces"
    )
    share: float = Field(1, ge=0, le=100, description="percent of the ordinary traces that are kept")


class Kubernetes(Pod):
    """Settings for all pods of the game; `pod` of the game, a version, a model or the supervisor overrides them."""

    discovery: Literal["endpoint_slices", "dns"] = Field(
        "endpoint_slices", description="how the supervisor finds replicas; dns needs no RBAC, but is seconds slower"
    )
    check: bool = Field(
        True, description="check the catalog in a Job before an install or an upgrade, which a fault stops"
    )
    start_at_min: bool = Field(
        True, description="give new Deployments their minimum of replicas in a Job, before their HPA looks"
    )
    files: Mapping[str, Any] | None = Field(
        None, description="volume source with the files that the catalog names by relative paths"
    )
    host: Text = Field("0.0.0.0", description="address that pods listen on; use `::` in an IPv6-only cluster")
    tracing: Traces = Field(Traces(), description="export of traces by all pods")
    log_format: Literal["text", "json"] = Field("text", description="format of the log lines of all pods")
    load_s: int = Field(180, ge=1, le=3600, description="maximum time to load a model, in seconds")
    image_registry: Image | None = Field(
        None, description="registry of the images that name none, such as registry.example.com/team"
    )
    service_account_annotations: Mapping[str, str] = Field(
        default_factory=dict, description="annotations such as eks.amazonaws.com/role-arn, for DynamoDB and S3"
    )
    secrets: Names = Field((), description="names of Secrets; their keys become environment variables of every pod")
    reflection: bool = Field(True, description="serve reflection, by which tools such as grpcurl read the contracts")
    tls: CheckedTls = PodTls()
    network_policies: NetworkPolicies = NetworkPolicies()
    monitoring: Monitoring = Monitoring()
