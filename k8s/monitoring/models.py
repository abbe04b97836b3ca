"""Dashboard of a version's models with their HPAs: replicas, CPU against the target, rows, batches."""

from __future__ import annotations

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import (
    GAME_VARIABLES,
    MISSES,
    MODEL_NAME,
    OF_MODEL,
    OF_VERSION,
    RATE,
    VALUES_OF_GAME,
    WORKER_PODS,
    cpu_and_target,
    failing_conditions,
    mean_and_p95,
    median_and_p99,
    per_second,
    replicas,
)

MODELS = Dashboard(
    "ensemble-mesh-models",
    "Ensemble mesh: models and their HPAs",
    (
        *GAME_VARIABLES,
        Variable("version", f"{VALUES_OF_GAME}version)"),
        Variable("model", 'label_values(mesh_lanes{game="$game",version="$version"}, model)', is_multiple=True),
    ),
    {
        "HPA": (
            Panel(
                "Replicas",
                "short",
                replicas(MODEL_NAME),
                "The HPA's min and max, and its current and desired replicas.",
            ),
            Panel(
                "CPU of the request",
                "percentunit",
                cpu_and_target(WORKER_PODS, f"{MODEL_NAME}"),
                "The value that the HPA compares with its target, unless the model scales on rows in flight.",
            ),
            Panel(
                "Failing HPA conditions",
                "short",
                (failing_conditions(MODEL_NAME),),
                "ScalingActive = false: it cannot read its metric. ScalingLimited = true: it would leave min..max.",
                kind="table",
            ),
        ),
        "Load": (
            Panel(
                "Rows waiting",
                "short",
                (Query(f"sum by (model) (mesh_rows_waiting{{{OF_MODEL}}})", "{{model}}"),),
                "Rows that wait because no replica has room. If the value does not return to 0, votes will be missing.",
            ),
            Panel(
                "Rows outstanding",
                "short",
                (Query(f"sum by (model) (mesh_rows_outstanding{{{OF_MODEL}}})", "{{model}}"),),
                "Rows that replicas are scoring.",
            ),
            Panel(
                "Missing votes",
                "percentunit",
                (Query(MISSES.replace(OF_VERSION, OF_MODEL, 1), "{{model}}"),),
                "Share of the version's answers without this model's vote.",
            ),
            Panel(
                "Lanes",
                "short",
                (
                    Query(f"sum by (model, state) (mesh_lanes{{{OF_MODEL}}})", "{{model}} {{state}}"),
                    Query(f"sum by (model) (mesh_lanes_out{{{OF_MODEL}}}) > 0", "{{model}} up, but out of rotation"),
                ),
                "Sum over all supervisors.",
            ),
            Panel(
                "Second tries",
                "short",
                (
                    Query(per_second("mesh_second_try_rows_total", OF_MODEL, "model, cause"), "{{model}} {{cause}}"),
                    Query(per_second("mesh_second_try_wins_total", OF_MODEL, "model"), "{{model}} won"),
                ),
                "Rows per second sent to a second replica, as the first was late (overdue), refused them or was lost.",
            ),
            Panel(
                "Requests in the workers",
                "short",
                (Query(f"sum by (model) (mesh_worker_in_flight{{{OF_MODEL}}})", "{{model}}"),),
                "Admitted but not yet answered.",
            ),
            Panel(
                "Certificates expire in",
                "dtdurations",
                (
                    Query(
                        "min by (model, certificate) "
                        f"(mesh_tls_certificate_expiry_timestamp_seconds{{{OF_MODEL}}} - time())",
                        "{{model}} {{certificate}}",
                    ),
                ),
                "With TLS. The replica whose certificate expires first.",
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
            Panel("Time of a batch", "s", median_and_p99("mesh_worker_predict_seconds", OF_MODEL, "model")),
            Panel("Wait in the queue", "s", median_and_p99("mesh_worker_queue_seconds", OF_MODEL, "model")),
            Panel("Rows of a batch", "short", mean_and_p95("mesh_worker_batch_rows", OF_MODEL, "model")),
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
                "At 1 a replica cannot do more, whatever its CPU request is.",
            ),
            Panel(
                "Served models",
                "short",
                (
                    Query(
                        "count by (model, sha256, engine, objective, trees, features) "
                        f"(mesh_worker_model_info{{{OF_MODEL}}})",
                        "",
                    ),
                ),
                "Two lines for one model: a rollout is under way, or its replicas have different files or engines.",
                kind="table",
                width=16,
            ),
        ),
    },
)
