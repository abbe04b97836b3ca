"""The supervisors of a game: their loop, their cohorts, the feature store and the lanes."""

from __future__ import annotations

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import (
    CHOOSE_GAME,
    OF_GAME,
    OF_SUPERVISOR,
    SUPERVISOR_NAME,
    SUPERVISOR_PODS,
    VALUES_OF_GAME,
    cpu_and_target,
    per_second,
    replicas,
    sizes,
    spread,
    trouble,
)

SUPERVISOR = Dashboard(
    "ensemble-mesh-supervisor",
    "Ensemble mesh: supervisor",
    (*CHOOSE_GAME, Variable("pod", f"{VALUES_OF_GAME}pod)", is_multiple=True)),
    {
        "Process": (
            Panel(
                "Loop lag",
                "s",
                spread("mesh_loop_lag_seconds", OF_SUPERVISOR, "pod"),
                "How late the event loop comes to a timer; MeshLoopLag rings at a p99 of 50 ms.",
            ),
            Panel(
                "Starved share",
                "percentunit",
                (Query(f"max by (pod) (mesh_starved_share{{{OF_SUPERVISOR}}})", "{{pod}}"),),
                "The share of its time that the busiest thread waits for a CPU.",
            ),
            Panel("CPU of the request", "percentunit", cpu_and_target(SUPERVISOR_PODS, SUPERVISOR_NAME)),
            Panel("Replicas", "short", replicas(SUPERVISOR_NAME)),
            Panel(
                "Memory",
                "bytes",
                (Query(f"max by (pod) (container_memory_working_set_bytes{{{SUPERVISOR_PODS}}})", "{{pod}}"),),
            ),
            Panel("What hinders the HPA", "short", (trouble(SUPERVISOR_NAME),), kind="table"),
        ),
        "Cohorts": (
            Panel(
                "Under way",
                "short",
                (Query(f"sum by (pod) (mesh_cohorts_under_way{{{OF_SUPERVISOR}}})", "{{pod}}"),),
            ),
            Panel(
                "Requests waiting",
                "short",
                (Query(f'sum by (version) (mesh_requests_waiting{{{OF_GAME},pod=~"$pod"}})', "{{version}}"),),
                "For a cohort to depart.",
            ),
            Panel(
                "Stages",
                "s",
                spread("mesh_stage_seconds", f'{OF_GAME},pod=~"$pod"', "stage"),
                "A request's time in each.",
            ),
            Panel(
                "Requests in a cohort",
                "short",
                sizes("mesh_cohort_requests", f'{OF_GAME},pod=~"$pod"', "version"),
            ),
            Panel("Rows in a cohort", "short", sizes("mesh_cohort_rows", f'{OF_GAME},pod=~"$pod"', "version")),
            Panel(
                "Lanes",
                "short",
                (Query(f'sum by (pod, state) (mesh_lanes{{{OF_GAME},pod=~"$pod"}})', "{{pod}} {{state}}"),),
                is_stacked=True,
            ),
        ),
        "Features": (
            Panel(
                "Reads by outcome",
                "reqps",
                (Query(per_second("mesh_feature_reads_total", f'{OF_GAME},pod=~"$pod"', "outcome"), "{{outcome}}"),),
                "spared: not tried, because the store has failed and is left alone.",
                is_stacked=True,
            ),
            Panel("Time of a read", "s", spread("mesh_feature_read_seconds", f'{OF_GAME},pod=~"$pod"', "")),
            Panel("Players in a read", "short", sizes("mesh_feature_read_keys", f'{OF_GAME},pod=~"$pod"', "game")),
            Panel(
                "Players not read anew",
                "short",
                (Query(per_second("mesh_feature_players_total", f'{OF_GAME},pod=~"$pod"', "how"), "{{how}}"),),
                "From the cache, from before an outage, or not at all.",
                is_stacked=True,
            ),
            Panel(
                "DynamoDB's limits",
                "short",
                (
                    Query(per_second("mesh_feature_throttled_total", f'{OF_GAME},pod=~"$pod"', "game"), "refused"),
                    Query(
                        per_second("mesh_feature_unprocessed_total", f'{OF_GAME},pod=~"$pod"', "game"),
                        "keys not got to",
                    ),
                ),
            ),
        ),
    },
)
