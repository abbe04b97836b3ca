"""Dashboard of a game's supervisors: event loop, cohorts, feature store and lanes."""

from __future__ import annotations

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import (
    GAME_VARIABLES,
    OF_GAME,
    OF_SUPERVISOR,
    SUPERVISOR_NAME,
    SUPERVISOR_PODS,
    VALUES_OF_GAME,
    cpu_and_target,
    failing_conditions,
    mean_and_p95,
    median_and_p99,
    per_second,
    replicas,
)
from k8s.monitoring.traces import TRACES

SUPERVISOR = Dashboard(
    "ensemble-mesh-supervisor",
    "Ensemble mesh: supervisor",
    (*GAME_VARIABLES, Variable("pod", f"{VALUES_OF_GAME}pod)", is_multiple=True)),
    {
        "Process": (
            Panel(
                "Loop lag",
                "s",
                median_and_p99("mesh_loop_lag_seconds", OF_SUPERVISOR, "pod"),
                "Delay of the event loop's timers; MeshLoopLag fires at a p99 of 50 ms.",
            ),
            Panel(
                "Starved share",
                "percentunit",
                (Query(f"max by (pod) (mesh_starved_share{{{OF_SUPERVISOR}}})", "{{pod}}"),),
                "Share of the time in which the busiest thread waits for a CPU.",
            ),
            Panel("CPU of the request", "percentunit", cpu_and_target(SUPERVISOR_PODS, SUPERVISOR_NAME)),
            Panel("Replicas", "short", replicas(SUPERVISOR_NAME)),
            Panel(
                "Memory",
                "bytes",
                (Query(f"max by (pod) (container_memory_working_set_bytes{{{SUPERVISOR_PODS}}})", "{{pod}}"),),
            ),
            Panel("Failing HPA conditions", "short", (failing_conditions(SUPERVISOR_NAME),), kind="table"),
            Panel(
                "Catalogs not in force",
                "short",
                (
                    Query(f'sum by (pod) (mesh_catalog_refused{{{OF_GAME},pod=~"$pod"}})', "{{pod}} refused"),
                    Query(f'sum by (pod) (mesh_catalog_pending{{{OF_GAME},pod=~"$pod"}})', "{{pod}} pending"),
                ),
                "1: the latest catalog has faults (refused) or waits for replicas (pending); the one before serves.",
            ),
            Panel(
                "Certificates expire in",
                "dtdurations",
                (
                    Query(
                        "min by (pod, certificate) "
                        f"(mesh_tls_certificate_expiry_timestamp_seconds{{{OF_SUPERVISOR}}} - time())",
                        "{{pod}} {{certificate}}",
                    ),
                ),
                "With TLS. MeshCertificateExpires fires at 7 days, or at a fifth of a shorter lifetime.",
            ),
            Panel(
                "TLS handshakes",
                "ops",
                (Query(per_second("mesh_tls_handshakes_total", OF_SUPERVISOR, "pod"), "{{pod}}"),),
                "Handshakes that callers began, also those that failed.",
            ),
        ),
        "Cohorts": (
            Panel(
                "Cohorts under way",
                "short",
                (Query(f"sum by (pod) (mesh_cohorts_under_way{{{OF_SUPERVISOR}}})", "{{pod}}"),),
            ),
            Panel(
                "Requests waiting",
                "short",
                (Query(f'sum by (version) (mesh_requests_waiting{{{OF_GAME},pod=~"$pod"}})', "{{version}}"),),
                "Requests that wait for a cohort to depart.",
            ),
            Panel(
                "Stages",
                "s",
                median_and_p99("mesh_stage_seconds", f'{OF_GAME},pod=~"$pod"', "stage"),
                "A request's time in each stage.",
            ),
            Panel(
                "Requests in a cohort",
                "short",
                mean_and_p95("mesh_cohort_requests", f'{OF_GAME},pod=~"$pod"', "version"),
            ),
            Panel("Rows in a cohort", "short", mean_and_p95("mesh_cohort_rows", f'{OF_GAME},pod=~"$pod"', "version")),
            Panel(
                "Lanes",
                "short",
                (Query(f'sum by (pod, state) (mesh_lanes{{{OF_GAME},pod=~"$pod"}})', "{{pod}} {{state}}"),),
                is_stacked=True,
            ),
        ),
        "Callers": (
            Panel(
                "Requests by caller",
                "reqps",
                (Query(per_second("mesh_caller_requests_total", f'{OF_GAME},pod=~"$pod"', "caller"), "{{caller}}"),),
                "Callers of the catalog; `(unknown)` are peers that it does not name. Empty without `callers`.",
                is_stacked=True,
            ),
            Panel(
                "Refused requests by caller",
                "reqps",
                (
                    Query(
                        per_second(
                            "mesh_caller_requests_total",
                            f'{OF_GAME},pod=~"$pod",outcome=~"over-quota|not-allowed|unknown"',
                            "caller, outcome",
                        ),
                        "{{caller}} {{outcome}}",
                    ),
                ),
                "MeshCallersRefused fires above 0.1 a second.",
            ),
            Panel(
                "Requests waiting by caller",
                "short",
                (
                    Query(
                        f'sum by (caller) (mesh_caller_requests_waiting{{{OF_GAME},pod=~"$pod"}})',
                        "{{caller}}",
                    ),
                ),
                "One caller above the others sends more than its share.",
            ),
            Panel(
                "Answers without all votes by caller",
                "reqps",
                (
                    Query(
                        per_second(
                            "mesh_caller_requests_total",
                            f'{OF_GAME},pod=~"$pod",outcome=~"PARTIAL|FALLBACK|wrong"',
                            "caller, outcome",
                        ),
                        "{{caller}} {{outcome}}",
                    ),
                ),
                "wrong: the request is wrong, or the report of an outcome was not taken.",
            ),
        ),
        "Features": (
            Panel(
                "Reads by outcome",
                "reqps",
                (Query(per_second("mesh_feature_reads_total", f'{OF_GAME},pod=~"$pod"', "outcome"), "{{outcome}}"),),
                "spared: not tried, because earlier reads have failed.",
                is_stacked=True,
            ),
            Panel("Time of a read", "s", median_and_p99("mesh_feature_read_seconds", f'{OF_GAME},pod=~"$pod"', "")),
            Panel(
                "Players in a read", "short", mean_and_p95("mesh_feature_read_keys", f'{OF_GAME},pod=~"$pod"', "game")
            ),
            Panel(
                "Players not read from the store",
                "short",
                (Query(per_second("mesh_feature_players_total", f'{OF_GAME},pod=~"$pod"', "how"), "{{how}}"),),
                "cached: from the cache. stale: from before an outage. unread: not available.",
                is_stacked=True,
            ),
            Panel(
                "Gaps in the inputs",
                "short",
                (
                    Query(
                        per_second("mesh_input_gaps_total", f'{OF_GAME},pod=~"$pod"', "feature, gap"),
                        "{{feature}} {{gap}}",
                    ),
                ),
                "missing: no value. unseen: a value that no model knows, such as another spelling than in training.",
            ),
            Panel(
                "Clocks ahead",
                "short",
                (
                    Query(
                        per_second("mesh_feature_clock_ahead_total", f'{OF_GAME},pod=~"$pod"', "version"), "{{version}}"
                    ),
                ),
                "Answers with features from the future: the clock or the time zone of their writer is wrong.",
            ),
            Panel(
                "DynamoDB throttling",
                "short",
                (
                    Query(
                        per_second("mesh_feature_throttled_total", f'{OF_GAME},pod=~"$pod"', "game"),
                        "throttled requests",
                    ),
                    Query(
                        per_second("mesh_feature_unprocessed_total", f'{OF_GAME},pod=~"$pod"', "game"),
                        "unprocessed keys",
                    ),
                ),
            ),
        ),
        "Traces": TRACES,
    },
)
