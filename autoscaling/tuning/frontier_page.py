"""A page with the frontier of a search: the cost of each point against its degraded answers."""

from __future__ import annotations

from typing import Any

from autoscaling.tuning.search import FrontierPoint, SearchResult
from mesh import plot_page


def page(game: str, slo: str, found: SearchResult) -> str:
    """Returns the text of the HTML page; `slo` is the text of the SLO."""
    from plotly.graph_objects import Figure

    figure = Figure()
    points = sorted(found.frontier, key=lambda point: point.core_hours)
    best = [] if found.best is None else [found.best]
    for name, shown, style in (
        ("frontier", points, {"mode": "lines+markers", "marker": {"color": "#1f77b4"}}),
        ("current HPAs", [found.current], {"mode": "markers", "marker": {"color": "#666", "size": 12}}),
        ("lowest cost that meets the SLO", best, {"mode": "markers", "marker": {"color": "#2ca02c", "size": 14}}),
    ):
        figure.add_scatter(name=name, **_drawn(shown), **style)
    figure.update_xaxes(title="core hours")
    figure.update_yaxes(title="answers that are not full, %", type="log")
    figure.update_layout(title=f"{game}: cost against {slo}", height=560)
    remark = "Each point is a complete simulation; the worst of its seeds counts."
    return plot_page.page(f"HPA tuning: {game}", [figure], remark)


def _drawn(points: list[FrontierPoint]) -> dict[str, Any]:
    return {
        "x": [point.core_hours for point in points],
        "y": [max(100 * (1 - point.full), 1e-4) for point in points],
        "text": [f"p95 {1000 * point.p95_s:.1f} ms; misses {', '.join(point.misses) or 'nothing'}" for point in points],
        "hovertemplate": "%{x:,.0f} core hours, %{y:.4f} % not full<br>%{text}<extra></extra>",
    }
