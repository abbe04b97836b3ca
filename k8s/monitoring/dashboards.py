"""`python -m k8s.monitoring.dashboards [--check]`: writes Grafana's dashboards, or says which of them are stale."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable

FOLDER = Path(__file__).parent.parent / "chart" / "files" / "dashboards"
_RATE = "$__rate_interval"
_POD = "-[a-z0-9]+-[a-z0-9]+"
_DEPLOYMENT_OF_POD = f'"deployment", "$1", "pod", "(.+){_POD}"'

# What is chosen, innermost first. Outside of a cluster nothing has a namespace, and the empty one is chosen.
_GAME = 'namespace=~"$namespace",game="$game"'
_VERSION = f'{_GAME},version=~"$version"'
_MODEL = f'{_VERSION},model=~"$model"'
_SUPERVISOR = 'namespace=~"$namespace",pod=~"$pod"'
_MODEL_NAME = "$game-$version-$model"
_SUPERVISOR_NAME = "$game-supervisor"
_WORKER_PODS = f'namespace=~"$namespace",container="worker",pod=~"{_MODEL_NAME}{_POD}"'
_SUPERVISOR_PODS = 'namespace=~"$namespace",container="supervisor",pod=~"$pod"'

_CHOOSE_GAME = (
    Variable("game", "label_values(mesh_lanes, game)"),
    Variable("namespace", 'label_values(mesh_lanes{game="$game"}, namespace)', is_multiple=True, all_value=".*"),
)
_OF_GAME = 'label_values(mesh_lanes{game="$game",namespace=~"$namespace"}, '


def _per_second(metric: str, labels: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{_RATE}]))"


def _mean(histogram: str, labels: str, by: str) -> str:
    return f"{_per_second(histogram + '_sum', labels, by)} / {_per_second(histogram + '_count', labels, by)}"


def _quantile(share: float, histogram: str, labels: str, by: str) -> str:
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {_per_second(histogram + '_bucket', labels, grouped)})"


def _spread(histogram: str, labels: str, by: str) -> tuple[Query, ...]:
    """Median and 99th percentile of a histogram."""
    line = f"{{{{{by}}}}} " if by else ""
    return tuple(Query(_quantile(share, histogram, labels, by), f"{line}p{share * 100:g}") for share in (0.5, 0.99))


def _sizes(histogram: str, labels: str, by: str) -> tuple[Query, ...]:
    line = f"{{{{{by}}}}}"
    return (
        Query(_mean(histogram, labels, by), f"{line} mean"),
        Query(_quantile(0.95, histogram, labels, by), f"{line} p95"),
    )


def _replicas(scaler: str) -> tuple[Query, ...]:
    """What an HPA may have, has and wants. KEDA puts its own word before the name."""
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


def _cpu_and_target(pods: str, scaler: str) -> tuple[Query, ...]:
    """CPU as a share of the request, as an HPA counts it; newer kube-state-metrics tell a container's target apart."""
    used = f"rate(container_cpu_usage_seconds_total{{{pods}}}[{_RATE}])"
    asked = f'kube_pod_container_resource_requests{{{pods},resource="cpu"}}'
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
        Query(f"{per_deployment.format(used)} / {per_deployment.format(asked)}", "{{deployment}}"),
        Query(f"({targets}) / 100", "{{horizontalpodautoscaler}} target"),
    )


def _trouble(scaler: str) -> Query:
    labels = f'namespace=~"$namespace",horizontalpodautoscaler=~"(keda-hpa-)?{scaler}"'
    condition = "kube_horizontalpodautoscaler_status_condition"
    return Query(
        "max by (horizontalpodautoscaler, condition, status) ("
        f'{condition}{{{labels},condition!="ScalingLimited",status!="true"}}'
        f' or {condition}{{{labels},condition="ScalingLimited",status="true"}}) > 0',
        "{{horizontalpodautoscaler}} {{condition}} = {{status}}",
    )


_MISSES = (
    f"{_per_second('mesh_model_misses_total', _VERSION, 'version, model')}"
    f" / on (version) group_left () {_per_second('mesh_requests_total', _VERSION, 'version')}"
)
_FALLBACKS = f'{_VERSION},source="FALLBACK",reason!="unknown-player"'

GAME = Dashboard(
    "ensemble-mesh-game",
    "Ensemble mesh: game",
    (
        *_CHOOSE_GAME,
        Variable("version", f"{_OF_GAME}version)", is_multiple=True),
        Variable("budget_ms", text="300"),
    ),
    {
        "Answers": (
            Panel(
                "Answers by source",
                "reqps",
                (Query(_per_second("mesh_requests_total", _VERSION, "source"), "{{source}}"),),
                "Whole ensembles, parts of one that met the quorum, and fallbacks.",
                is_stacked=True,
            ),
            Panel(
                "Latency and budget",
                "s",
                (
                    *(
                        Query(_quantile(share, "mesh_request_seconds", _VERSION, ""), f"p{share * 100:g}")
                        for share in (0.5, 0.95, 0.99)
                    ),
                    Query("vector($budget_ms / 1000)", "budget"),
                ),
                "From admission to answer. Set the variable budget_ms to the catalog's.",
            ),
            Panel(
                "Answers from the models",
                "percentunit",
                (
                    Query(
                        f"1 - (sum(increase(mesh_requests_total{{{_FALLBACKS}}}[$__range])) or vector(0))"
                        f" / sum(increase(mesh_requests_total{{{_VERSION}}}[$__range]))",
                        "from the models",
                    ),
                ),
                "In the time shown; the objective is 99.5 %. Fallbacks for unknown players count as well served.",
                kind="stat",
            ),
            Panel(
                "Degraded answers by reason",
                "reqps",
                (
                    Query(
                        _per_second("mesh_requests_total", _VERSION + ',reason!="none"', "source, reason"),
                        "{{source}} {{reason}}",
                    ),
                ),
                is_stacked=True,
            ),
            Panel(
                "Fallbacks by version",
                "percentunit",
                (
                    Query(
                        f"{_per_second('mesh_requests_total', _FALLBACKS, 'version')}"
                        f" / {_per_second('mesh_requests_total', _VERSION, 'version')}",
                        "{{version}}",
                    ),
                ),
                "The share of a version's answers; MeshFallbackRate rings at 5 %.",
            ),
            Panel(
                "Where the time goes",
                "s",
                (Query(_mean("mesh_stage_seconds", _VERSION, "stage"), "{{stage}}"),),
                "The mean of each stage.",
                is_stacked=True,
            ),
        ),
        "Models": (
            Panel(
                "Answers that a model is missing from",
                "percentunit",
                (Query(_MISSES, "{{version}} {{model}}"),),
                "MeshModelMissing rings at 10 %.",
                width=12,
            ),
            Panel(
                "Missing now",
                "percentunit",
                (Query(f"topk(15, {_MISSES} > 0)", "{{version}} {{model}}"),),
                "Empty when every model votes.",
                kind="bargauge",
                width=12,
            ),
            Panel(
                "Lanes up",
                "short",
                (
                    Query(
                        f'sum by (version, model) (mesh_lanes{{{_VERSION},state="up"}})'
                        f" / on () group_left () count(count by (pod) (mesh_lanes{{{_GAME}}}))",
                        "{{version}} {{model}}",
                    ),
                ),
                "Replicas of each model, as a supervisor sees them on average.",
                width=12,
            ),
            Panel(
                "Models without a lane",
                "short",
                (
                    Query(
                        f'sum by (version, model) (mesh_lanes{{{_VERSION},state="up"}}) == 0',
                        "{{version}} {{model}}",
                    ),
                ),
                "Empty when every model has a replica that a supervisor reaches.",
                kind="table",
                width=12,
            ),
        ),
    },
)

MODELS = Dashboard(
    "ensemble-mesh-models",
    "Ensemble mesh: models and their HPAs",
    (
        *_CHOOSE_GAME,
        Variable("version", f"{_OF_GAME}version)"),
        Variable("model", 'label_values(mesh_lanes{game="$game",version="$version"}, model)', is_multiple=True),
    ),
    {
        "HPA": (
            Panel("Replicas", "short", _replicas(_MODEL_NAME), "What the HPA may have, has and wants."),
            Panel(
                "CPU of the request",
                "percentunit",
                _cpu_and_target(_WORKER_PODS, f"{_MODEL_NAME}"),
                "What the HPA compares with its target, unless the model scales on rows in flight.",
            ),
            Panel(
                "What hinders the HPA",
                "short",
                (_trouble(_MODEL_NAME),),
                "ScalingActive = false: it cannot see its metric. ScalingLimited = true: it wants to leave min..max.",
                kind="table",
            ),
        ),
        "Load": (
            Panel(
                "Rows waiting",
                "short",
                (Query(f"sum by (model) (mesh_rows_waiting{{{_MODEL}}})", "{{model}}"),),
                "Rows that no replica has room for yet: what does not go back to 0 grows into misses.",
            ),
            Panel(
                "Rows outstanding",
                "short",
                (Query(f"sum by (model) (mesh_rows_outstanding{{{_MODEL}}})", "{{model}}"),),
                "Rows that replicas work on.",
            ),
            Panel(
                "Misses",
                "percentunit",
                (Query(_MISSES.replace(_VERSION, _MODEL, 1), "{{model}}"),),
                "The share of the version's answers without this model's vote.",
            ),
            Panel(
                "Lanes",
                "short",
                (Query(f"sum by (model, state) (mesh_lanes{{{_MODEL}}})", "{{model}} {{state}}"),),
                "Of all supervisors together.",
            ),
            Panel(
                "Requests in the workers",
                "short",
                (Query(f"sum by (model) (mesh_worker_in_flight{{{_MODEL}}})", "{{model}}"),),
                "Admitted and not yet answered.",
            ),
            Panel(
                "Refused and expired",
                "reqps",
                (
                    Query(_per_second("mesh_worker_refused_total", _MODEL, "model, code"), "{{model}} {{code}}"),
                    Query(_per_second("mesh_worker_expired_total", _MODEL, "model"), "{{model}} expired"),
                ),
            ),
        ),
        "Workers": (
            Panel("Time of a batch", "s", _spread("mesh_worker_predict_seconds", _MODEL, "model")),
            Panel("Wait in the queue", "s", _spread("mesh_worker_queue_seconds", _MODEL, "model")),
            Panel("Rows of a batch", "short", _sizes("mesh_worker_batch_rows", _MODEL, "model")),
            Panel(
                "Busy predict threads",
                "percentunit",
                (
                    Query(
                        f"avg by (model) (rate(mesh_worker_busy_seconds_total{{{_MODEL}}}[{_RATE}]))", "{{model}} mean"
                    ),
                    Query(
                        f"max by (model) (rate(mesh_worker_busy_seconds_total{{{_MODEL}}}[{_RATE}]))",
                        "{{model}} busiest",
                    ),
                ),
                "At 1 a replica can do no more, whatever its CPU request says.",
            ),
            Panel(
                "What is served",
                "short",
                (
                    Query(
                        f"count by (model, sha256, objective, trees, features) (mesh_worker_model_info{{{_MODEL}}})", ""
                    ),
                ),
                "Two lines for one model: a rollout is under way, or its replicas serve different files.",
                kind="table",
                width=16,
            ),
        ),
    },
)

SUPERVISOR = Dashboard(
    "ensemble-mesh-supervisor",
    "Ensemble mesh: supervisor",
    (*_CHOOSE_GAME, Variable("pod", f"{_OF_GAME}pod)", is_multiple=True)),
    {
        "Process": (
            Panel(
                "Loop lag",
                "s",
                _spread("mesh_loop_lag_seconds", _SUPERVISOR, "pod"),
                "How late the event loop comes to a timer; MeshLoopLag rings at a p99 of 50 ms.",
            ),
            Panel(
                "Starved share",
                "percentunit",
                (Query(f"max by (pod) (mesh_starved_share{{{_SUPERVISOR}}})", "{{pod}}"),),
                "The share of its time that the busiest thread waits for a CPU.",
            ),
            Panel("CPU of the request", "percentunit", _cpu_and_target(_SUPERVISOR_PODS, _SUPERVISOR_NAME)),
            Panel("Replicas", "short", _replicas(_SUPERVISOR_NAME)),
            Panel(
                "Memory",
                "bytes",
                (Query(f"max by (pod) (container_memory_working_set_bytes{{{_SUPERVISOR_PODS}}})", "{{pod}}"),),
            ),
            Panel("What hinders the HPA", "short", (_trouble(_SUPERVISOR_NAME),), kind="table"),
        ),
        "Cohorts": (
            Panel(
                "Under way",
                "short",
                (Query(f"sum by (pod) (mesh_cohorts_under_way{{{_SUPERVISOR}}})", "{{pod}}"),),
            ),
            Panel(
                "Requests waiting",
                "short",
                (Query(f'sum by (version) (mesh_requests_waiting{{{_GAME},pod=~"$pod"}})', "{{version}}"),),
                "For a cohort to depart.",
            ),
            Panel(
                "Stages",
                "s",
                _spread("mesh_stage_seconds", f'{_GAME},pod=~"$pod"', "stage"),
                "A request's time in each.",
            ),
            Panel(
                "Requests in a cohort",
                "short",
                _sizes("mesh_cohort_requests", f'{_GAME},pod=~"$pod"', "version"),
            ),
            Panel("Rows in a cohort", "short", _sizes("mesh_cohort_rows", f'{_GAME},pod=~"$pod"', "version")),
            Panel(
                "Lanes",
                "short",
                (Query(f'sum by (pod, state) (mesh_lanes{{{_GAME},pod=~"$pod"}})', "{{pod}} {{state}}"),),
                is_stacked=True,
            ),
        ),
        "Features": (
            Panel(
                "Reads by outcome",
                "reqps",
                (Query(_per_second("mesh_feature_reads_total", f'{_GAME},pod=~"$pod"', "outcome"), "{{outcome}}"),),
                "spared: not tried, because the store has failed and is left alone.",
                is_stacked=True,
            ),
            Panel("Time of a read", "s", _spread("mesh_feature_read_seconds", f'{_GAME},pod=~"$pod"', "")),
            Panel("Players in a read", "short", _sizes("mesh_feature_read_keys", f'{_GAME},pod=~"$pod"', "game")),
            Panel(
                "Players not read anew",
                "short",
                (Query(_per_second("mesh_feature_players_total", f'{_GAME},pod=~"$pod"', "how"), "{{how}}"),),
                "From the cache, from before an outage, or not at all.",
                is_stacked=True,
            ),
            Panel(
                "DynamoDB's limits",
                "short",
                (
                    Query(_per_second("mesh_feature_throttled_total", f'{_GAME},pod=~"$pod"', "game"), "refused"),
                    Query(
                        _per_second("mesh_feature_unprocessed_total", f'{_GAME},pod=~"$pod"', "game"),
                        "keys not got to",
                    ),
                ),
            ),
        ),
    },
)

DASHBOARDS = {"game": GAME, "models": MODELS, "supervisor": SUPERVISOR}


def files() -> dict[Path, str]:
    """What this writes, and where."""
    return {FOLDER / f"{name}.json": dashboard.json() for name, dashboard in DASHBOARDS.items()}


def main(arguments: Sequence[str]) -> int:
    """Writes the files; with --check, says which of them are not what they should be."""
    if "--check" not in arguments:
        FOLDER.mkdir(exist_ok=True)
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path.name for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]
    if stale:
        print(f"stale in {FOLDER}: {', '.join(stale)}; run `make dashboards` and commit", file=sys.stderr)
        return 1
    print(f"the {len(DASHBOARDS)} dashboards are fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
