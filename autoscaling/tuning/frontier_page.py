"""The frontier of a search: what each point costs, and what callers get for it."""

from __future__ import annotations

from typing import Any

from autoscaling.tuning.search import Point, Tuned
from mesh import plot_page


def page(game: str, promise: str, found: Tuned) -> str:
    """A self-contained HTML page."""
    from plotly.graph_objects import Figure

    figure = Figure()
    points = sorted(found.frontier, key=lambda point: point.core_hours)
    for name, shown, mark in (
        ("frontier", points, {"mode": "lines+markers", "marker": {"color": "#1f77b4"}}),
        ("as it is", [found.now], {"mode": "markers", "marker": {"color": "#666", "size": 12}}),
        (
            "cheapest that keeps the promise",
            _best(found),
            {"mode": "markers", "marker": {"color": "#2ca02c", "size": 14}},
        ),
    ):
        figure.add_scatter(name=name, **_drawn(shown), **mark)
    figure.update_xaxes(title="core hours")
    figure.update_yaxes(title="answers that are not full, %", type="log")
    figure.update_layout(title=f"{game}: cost against {promise}", height=560)
    return plot_page.page(
        f"HPA tuning: {game}", [figure], "Each point was simulated whole; the worst of its seeds counts."
    )


def _best(found: Tuned) -> list[Point]:
    return [] if found.best is None else [found.best]


def _drawn(points: list[Point]) -> dict[str, Any]:
    return {
        "x": [point.core_hours for point in points],
        "y": [max(100 * (1 - point.full), 1e-4) for point in points],
        "text": [f"p95 {1000 * point.p95_s:.1f} ms; misses {', '.join(point.misses) or 'nothing'}" for point in points],
        "hovertemplate": "%{x:,.0f} core hours, %{y:.4f} % not full<br>%{text}<extra></extra>",
    }
