"""PromQL expressions that several dashboards share, and the variables that select their series."""

from __future__ import annotations

from k8s.monitoring.grafana import Query, Variable

RATE = "$__rate_interval"
_POD = "-[a-z0-9]+-[a-z0-9]+"
_DEPLOYMENT_OF_POD = f'"deployment", "$1", "pod", "(.+){_POD}"'

# Selectors by the dashboards' variables. Outside a cluster the namespace is empty.
OF_GAME = 'namespace=~"$namespace",game="$game"'
OF_VERSION = f'{OF_GAME},version=~"$version"'
OF_MODEL = f'{OF_VERSION},model=~"$model"'
OF_SUPERVISOR = 'namespace=~"$namespace",pod=~"$pod"'
MODEL_NAME = "$game-$version-$model"
SUPERVISOR_NAME = "$game-supervisor"
WORKER_PODS = f'namespace=~"$namespace",container="worker",pod=~"{MODEL_NAME}{_POD}"'
SUPERVISOR_PODS = 'namespace=~"$namespace",container="supervisor",pod=~"$pod"'

GAME_VARIABLES = (
    Variable("game", "label_values(mesh_lanes, game)"),
    Variable("namespace", 'label_values(mesh_lanes{game="$game"}, namespace)', is_multiple=True, all_value=".*"),
)
VALUES_OF_GAME = 'label_values(mesh_lanes{game="$game",namespace=~"$namespace"}, '


def per_second(metric: str, labels: str, by: str) -> str:
    """The rate of a counter, summed by `by`."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{RATE}]))"


def mean(histogram: str, labels: str, by: str) -> str:
    """The mean of a histogram by `by`."""
    return f"{per_second(histogram + '_sum', labels, by)} / {per_second(histogram + '_count', labels, by)}"


def quantile(share: float, histogram: str, labels: str, by: str) -> str:
    """The quantile `share` (0 to 1) of a histogram by `by`; if `by` is empty, of all its series together."""
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {per_second(histogram + '_bucket', labels, grouped)})"


def median_and_p99(histogram: str, labels: str, by: str) -> tuple[Query, ...]:
    """Median and 99th percentile of a histogram."""
    line = f"{{{{{by}}}}} " if by else ""
    return tuple(Query(quantile(share, histogram, labels, by), f"{line}p{share * 100:g}") for share in (0.5, 0.99))


def mean_and_p95(histogram: str, labels: str, by: str) -> tuple[Query, ...]:
    """Mean and 95th percentile of a histogram."""
    line = f"{{{{{by}}}}}"
    return (
        Query(mean(histogram, labels, by), f"{line} mean"),
        Query(quantile(0.95, histogram, labels, by), f"{line} p95"),
    )


def replicas(scaler: str) -> tuple[Query, ...]:
    """Min, current, desired and max replicas of an HPA. KEDA adds the prefix `keda-hpa-` to its name."""
    labels = f'namespace=~"$namespace",horizontalpodautoscaler=~"(keda-hpa-)?{scaler}"'
    figures = {
        "min": "spec_min_replicas",
        "current": "status_current_replicas",
        "desired": "status_desired_replicas",
        "max": "spec_max_replicas",
    }
    return tuple(
        Query(
            f"max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_{figure}{{{labels}}})",
            f"{{{{horizontalpodautoscaler}}}} {word}",
        )
        for word, figure in figures.items()
    )


def cpu_and_target(pods: str, scaler: str) -> tuple[Query, ...]:
    """CPU as a share of the request, and the HPA's target; newer kube-state-metrics list a container's target apart."""
    used = f"rate(container_cpu_usage_seconds_total{{{pods}}}[{RATE}])"
    requested = f'kube_pod_container_resource_requests{{{pods},resource="cpu"}}'
    per_deployment = "sum by (deployment) (label_replace({}, " + _DEPLOYMENT_OF_POD + "))"
    target = (
        f'namespace=~"$namespace",horizontalpodautoscaler=~"{scaler}",'
        'metric_name="cpu",metric_target_type="utilization"'
    )
    targets = " or ".join(
        f"max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_target_{metric}{{{target}}})"
        for metric in ("container_metric", "metric")
    )
    return (
        Query(f"{per_deployment.format(used)} / {per_deployment.format(requested)}", "{{deployment}}"),
        Query(f"({targets}) / 100", "{{horizontalpodautoscaler}} target"),
    )


def failing_conditions(scaler: str) -> Query:
    """The conditions of an HPA that indicate a problem: not active, not able to scale, or limited by min or max."""
    labels = f'namespace=~"$namespace",horizontalpodautoscaler=~"(keda-hpa-)?{scaler}"'
    condition = "kube_horizontalpodautoscaler_status_condition"
    return Query(
        "max by (horizontalpodautoscaler, condition, status) ("
        f'{condition}{{{labels},condition!="ScalingLimited",status!="true"}}'
        f' or {condition}{{{labels},condition="ScalingLimited",status="true"}}) > 0',
        "{{horizontalpodautoscaler}} {{condition}} = {{status}}",
    )


MISSES = (
    f"{per_second('mesh_model_misses_total', OF_VERSION, 'version, model')}"
    f" / on (version) group_left () {per_second('mesh_requests_total', OF_VERSION, 'version')}"
)
