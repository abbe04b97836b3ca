"""Each model of a version, with its HPA: replicas, CPU against the target, rows, batches."""

from __future__ import annotations

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import (
    CHOOSE_GAME,
    MISSES,
    MODEL_NAME,
    OF_MODEL,
    OF_VERSION,
    RATE,
    VALUES_OF_GAME,
    WORKER_PODS,
    cpu_and_target,
    per_second,
    replicas,
    sizes,
    spread,
    trouble,
)

MODELS = Dashboard(
    "ensemble-mesh-models",
    "Ensemble mesh: models and their HPAs",
    (
        *CHOOSE_GAME,
        Variable("version", f"{VALUES_OF_GAME}version)"),
        Variable("model", 'label_values(mesh_lanes{game="$game",version="$version"}, model)', is_multiple=True),
    ),
    {
        "HPA": (
            Panel("Replicas", "short", replicas(MODEL_NAME), "What the HPA may have, has and wants."),
            Panel(
                "CPU of the request",
                "percentunit",
                cpu_and_target(WORKER_PODS, f"{MODEL_NAME}"),
                "What the HPA compares with its target, unless the model scales on rows in flight.",
            ),
            Panel(
                "What hinders the HPA",
                "short",
                (trouble(MODEL_NAME),),
                "ScalingActive = false: it cannot see its metric. ScalingLimited = true: it wants to leave min..max.",
                kind="table",
            ),
        ),
        "Load": (
            Panel(
                "Rows waiting",
                "short",
                (Query(f"sum by (model) (mesh_rows_waiting{{{OF_MODEL}}})", "{{model}}"),),
                "Rows that no replica has room for yet: what does not go back to 0 grows into misses.",
            ),
            Panel(
                "Rows outstanding",
                "short",
                (Query(f"sum by (model) (mesh_rows_outstanding{{{OF_MODEL}}})", "{{model}}"),),
                "Rows that replicas work on.",
            ),
            Panel(
                "Misses",
                "percentunit",
                (Query(MISSES.replace(OF_VERSION, OF_MODEL, 1), "{{model}}"),),
                "The share of the version's answers without this model's vote.",
            ),
            Panel(
                "Lanes",
                "short",
                (Query(f"sum by (model, state) (mesh_lanes{{{OF_MODEL}}})", "{{model}} {{state}}"),),
                "Of all supervisors together.",
            ),
            Panel(
                "Requests in the workers",
                "short",
                (Query(f"sum by (model) (mesh_worker_in_flight{{{OF_MODEL}}})", "{{model}}"),),
                "Admitted and not yet answered.",
            ),
            Panel(
                "Refused and expired",
                "reqps",
                (
                    Query(per_second("mesh_worker_refused_total", OF_MODEL, "model, code"), "{{model}} {{code}}"),
                    Query(per_second("mesh_worker_expired_total", OF_MODEL, "model"), "{{model}} expired"),
                ),
            ),
        ),
        "Workers": (
            Panel("Time of a batch", "s", spread("mesh_worker_predict_seconds", OF_MODEL, "model")),
            Panel("Wait in the queue", "s", spread("mesh_worker_queue_seconds", OF_MODEL, "model")),
            Panel("Rows of a batch", "short", sizes("mesh_worker_batch_rows", OF_MODEL, "model")),
            Panel(
                "Busy predict threads",
                "percentunit",
                (
                    Query(
                        f"avg by (model) (rate(mesh_worker_busy_seconds_total{{{OF_MODEL}}}[{RATE}]))", "{{model}} mean"
                    ),
                    Query(
                        f"max by (model) (rate(mesh_worker_busy_seconds_total{{{OF_MODEL}}}[{RATE}]))",
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
                        "count by (model, sha256, engine, objective, trees, features) "
                        f"(mesh_worker_model_info{{{OF_MODEL}}})",
                        "",
                    ),
                ),
                "Two lines for one model: a rollout is under way, or its replicas differ in file or engine.",
                kind="table",
                width=16,
            ),
        ),
    },
)
