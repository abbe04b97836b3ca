"""A page with the frontier of a search: the cost of each point against its degraded answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaling.tuning.search import FrontierPoint, SearchResult
from autoscaling.tuning.slo import Slo
from mesh import plot_figures, plot_page

LEAST_PERCENT = 1e-4  # points below it are drawn here, because a logarithmic axis has no 0
AIM = "lowest cost that meets the SLO"


def page(game: str, objectives: Slo, found: SearchResult, facts: Mapping[str, str]) -> str:
    """Returns the text of the HTML page, with the share of full answers in the SLO as a line."""
    figure = plot_figures.figure("Cost against answers that are not full", 560, wide=True)
    points = sorted(found.frontier, key=lambda point: point.core_hours)
    best = [] if found.best is None else [found.best]
    for name, shown, style in (
        ("frontier", points, {"mode": "lines+markers", "marker": {"color": plot_figures.P95, "size": 7}}),
        ("current HPAs", [found.current], {"mode": "markers", "marker": {"color": "#666", "size": 12}}),
        (AIM, best, {"mode": "markers", "marker": {"color": plot_figures.FULL, "size": 13, "symbol": "diamond"}}),
    ):
        figure.add_scatter(name=name, cliponaxis=False, **_drawn(shown), **style)
    every = [*points, found.current, *best]
    costs = [point.core_hours for point in every]
    heights = [_degraded(point) for point in every]
    if 0 < objectives.full < 1:
        limit = 100 * (1 - objectives.full)
        name = f"SLO: {plot_figures.plain(100 * objectives.full)} % full"
        plot_figures.draw_limit(figure, (min(costs), max(costs)), limit, name)
        heights.append(limit)
    figure.update_xaxes(title="core hours", **plot_figures.even_axis(max(costs)))
    figure.update_yaxes(title="answers that are not full, %", **_scale(heights))
    chosen = "no candidate meets the SLO" if found.best is None else f"{found.best.core_hours:,.0f} core hours"
    return plot_page.page(f"HPA tuning of {game}: {chosen}", [figure], facts)


def _scale(heights: list[float]) -> dict[str, Any]:
    axis = plot_figures.log_axis(heights)
    least = plot_figures.plain(LEAST_PERCENT)
    return {**axis, "ticktext": [f"≤ {text}" if text == least else text for text in axis["ticktext"]]}


def _degraded(point: FrontierPoint) -> float:
    return max(100 * (1 - point.full), LEAST_PERCENT)


def _drawn(points: list[FrontierPoint]) -> dict[str, Any]:
    return {
        "x": [point.core_hours for point in points],
        "y": [_degraded(point) for point in points],
        "text": [f"p95 {1000 * point.p95_s:.1f} ms; misses {', '.join(point.misses) or 'nothing'}" for point in points],
        "hovertemplate": "%{x:,.0f} core hours, %{y:.4f} % not full<br>%{text}<extra></extra>",
    }
