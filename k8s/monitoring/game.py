"""A game at a glance: where its answers come from, how long they take, and which models are missing."""

from __future__ import annotations

from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import CHOOSE_GAME, MISSES, OF_GAME, OF_VERSION, VALUES_OF_GAME, mean, per_second, quantile

_FALLBACKS = f'{OF_VERSION},source="FALLBACK",reason!="unknown-player"'

GAME = Dashboard(
    "ensemble-mesh-game",
    "Ensemble mesh: game",
    (
        *CHOOSE_GAME,
        Variable("version", f"{VALUES_OF_GAME}version)", is_multiple=True),
        Variable("budget_ms", text="300"),
    ),
    {
        "Answers": (
            Panel(
                "Answers by source",
                "reqps",
                (Query(per_second("mesh_requests_total", OF_VERSION, "source"), "{{source}}"),),
                "Whole ensembles, parts of one that met the quorum, and fallbacks.",
                is_stacked=True,
            ),
            Panel(
                "Latency and budget",
                "s",
                (
                    *(
                        Query(quantile(share, "mesh_request_seconds", OF_VERSION, ""), f"p{share * 100:g}")
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
                        f" / sum(increase(mesh_requests_total{{{OF_VERSION}}}[$__range]))",
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
                        per_second("mesh_requests_total", OF_VERSION + ',reason!="none"', "source, reason"),
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
                        f"{per_second('mesh_requests_total', _FALLBACKS, 'version')}"
                        f" / {per_second('mesh_requests_total', OF_VERSION, 'version')}",
                        "{{version}}",
                    ),
                ),
                "The share of a version's answers; MeshFallbackRate rings at 5 %.",
            ),
            Panel(
                "Where the time goes",
                "s",
                (Query(mean("mesh_stage_seconds", OF_VERSION, "stage"), "{{stage}}"),),
                "The mean of each stage.",
                is_stacked=True,
            ),
        ),
        "Models": (
            Panel(
                "Answers that a model is missing from",
                "percentunit",
                (Query(MISSES, "{{version}} {{model}}"),),
                "MeshModelMissing rings at 10 %.",
                width=12,
            ),
            Panel(
                "Missing now",
                "percentunit",
                (Query(f"topk(15, {MISSES} > 0)", "{{version}} {{model}}"),),
                "Empty when every model votes.",
                kind="bargauge",
                width=12,
            ),
            Panel(
                "Lanes up",
                "short",
                (
                    Query(
                        f'sum by (version, model) (mesh_lanes{{{OF_VERSION},state="up"}})'
                        f" / on () group_left () count(count by (pod) (mesh_lanes{{{OF_GAME}}}))",
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
                        f'sum by (version, model) (mesh_lanes{{{OF_VERSION},state="up"}}) == 0',
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
