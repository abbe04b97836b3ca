"""The panels of a game's shadows: versions whose scores are compared with the answers."""

from __future__ import annotations

from collections.abc import Iterator

from k8s.monitoring.grafana import Panel, Query
from k8s.monitoring.queries import OF_VERSION, per_second, quantile

_PAIR, _SIDE = "version, shadow", "version, shadow, of"
_PAIR_LINE, _SIDE_LINE = "{{version}} {{shadow}}", "{{version}} {{shadow}} {{of}}"
_COMPARED = f'{OF_VERSION},outcome="compared"'


def _quantiles(histogram: str, by: str, line: str, *shares: float) -> Iterator[Query]:
    for share in shares:
        yield Query(quantile(share, histogram, OF_VERSION, by), f"{line} p{share * 100:g}")


SHADOWS = (
    Panel(
        "Same best offer",
        "percentunit",
        (
            Query(
                f"{per_second('mesh_shadow_same_best_total', OF_VERSION, _PAIR)}"
                f" / {per_second('mesh_shadow_ranked_total', OF_VERSION, _PAIR)}",
                _PAIR_LINE,
            ),
        ),
        "Share of the compared requests for which the version and its shadow have the same best offer.",
    ),
    Panel(
        "Rank correlation",
        "short",
        tuple(_quantiles("mesh_shadow_rank_correlation", _PAIR, _PAIR_LINE, 0.1, 0.5)),
        "Spearman's correlation of the two orders of the offers: 1 if they are equal.",
    ),
    Panel(
        "Scores",
        "short",
        tuple(_quantiles("mesh_shadow_scores", _SIDE, _SIDE_LINE, 0.25, 0.5, 0.75)),
        "Quartiles of the scores of all candidates: of the answers (live) and of the shadow.",
    ),
    Panel(
        "Missing votes of shadows",
        "percentunit",
        (
            Query(
                f"{per_second('mesh_shadow_partial_total', OF_VERSION, _SIDE)} / ignoring (of) group_left ()"
                f" {per_second('mesh_shadow_requests_total', _COMPARED, _PAIR)}",
                _SIDE_LINE,
            ),
        ),
        "Share of the compared requests with missing votes: of the answers (live) and of the shadow.",
    ),
    Panel(
        "Time of the votes",
        "s",
        tuple(_quantiles("mesh_shadow_seconds", _SIDE, _SIDE_LINE, 0.5, 0.99)),
        "Of the answer until the last vote, of the shadow the slowest vote. Shadows have the lowest priority.",
    ),
    Panel(
        "Sampled requests by outcome",
        "reqps",
        (Query(per_second("mesh_shadow_requests_total", OF_VERSION, "shadow, outcome"), "{{shadow}} {{outcome}}"),),
        "queue-full, expired: dropped, because the supervisor had no idle moment in time.",
        is_stacked=True,
    ),
)
