"""A game at a glance: where its answers come from, how long they take, and which models are missing."""

from __future__ import annotations

from k8s.monitoring.drift import DRIFT
from k8s.monitoring.grafana import Dashboard, Panel, Query, Variable
from k8s.monitoring.queries import (
    GAME_VARIABLES,
    MISSES,
    OF_GAME,
    OF_VERSION,
    VALUES_OF_GAME,
    mean,
    per_second,
    quantile,
)
from k8s.monitoring.shadows import SHADOWS

_FALLBACKS = f'{OF_VERSION},source="FALLBACK",reason!~"unknown-player|holdout"'


def _latency(share: float) -> Query:
    """The quantile `share` of the time of requests; the highest one shows the exemplars."""
    legend = f"p{share * 100:g}"
    return Query(quantile(share, "mesh_request_seconds", OF_VERSION, ""), legend, exemplars=share == 0.99)


GAME = Dashboard(
    "ensemble-mesh-game",
    "Ensemble mesh: game",
    (
        *GAME_VARIABLES,
        Variable("version", f"{VALUES_OF_GAME}version)", is_multiple=True),
        Variable("budget_ms", text="300"),
    ),
    {
        "Answers": (
            Panel(
                "Answers by source",
                "reqps",
                (Query(per_second("mesh_requests_total", OF_VERSION, "source"), "{{source}}"),),
                "ENSEMBLE: all models voted. PARTIAL: the quorum was met. FALLBACK: the fallback offer.",
                is_stacked=True,
            ),
            Panel(
                "Latency and budget",
                "s",
                (
                    *(_latency(share) for share in (0.5, 0.95, 0.99)),
                    Query("vector($budget_ms / 1000)", "budget"),
                ),
                "From admission to answer. Set the variable budget_ms to the value in the catalog. "
                "Each point is an exemplar and links to a trace (docs/traces.md).",
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
                "The objective is 99.5 %. Fallbacks for unknown players and for the holdout count as good.",
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
                "Share of a version's answers; MeshFallbackRate fires at 5 %.",
            ),
            Panel(
                "Traffic by version",
                "percentunit",
                (
                    Query(f"avg by (version) (mesh_traffic_share{{{OF_GAME}}})", "{{version}}"),
                    Query(f"sum by (version) (mesh_guard_tripped{{{OF_GAME}}}) > 0", "{{version}}: guard has tripped"),
                ),
                "Shares of the players, averaged over the supervisors; number of supervisors whose guard has tripped.",
            ),
            Panel(
                "Mean time per stage",
                "s",
                (Query(mean("mesh_stage_seconds", OF_VERSION, "stage"), "{{stage}}"),),
                "A request's mean time in each stage.",
                is_stacked=True,
            ),
        ),
        "Models": (
            Panel(
                "Missing votes by model",
                "percentunit",
                (Query(MISSES, "{{version}} {{model}}"),),
                "Share of the version's answers without the model's vote; MeshModelMissing fires at 10 %.",
                width=12,
            ),
            Panel(
                "Models with missing votes now",
                "percentunit",
                (Query(f"topk(15, {MISSES} > 0)", "{{version}} {{model}}"),),
                "Empty if every model votes.",
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
                "Replicas of each model that a supervisor can use, averaged over the supervisors.",
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
                "Empty if a supervisor can reach a replica of every model.",
                kind="table",
                width=12,
            ),
        ),
        "Shadows": SHADOWS,
        "Drift": DRIFT,
    },
)
