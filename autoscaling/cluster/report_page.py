"""The report of a simulation: one HTML page of plots, which explains each decision on hover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import DeploymentSeries, GameResult
from mesh import plot_figures, plot_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_POINTS = 720
DAY_S = 86_400
_ROW_PIXELS = 190
_FIRST_DAY = datetime(2000, 1, 1)  # plotly requires a date; the axis shows only the time, and the number of the day
_LEGENDS = ("legend", "legend2", "legend3")
Explanations = Mapping[str, Sequence[str]]


def page(results: Sequence[GameResult], explanations: Explanations, facts: Mapping[str, str]) -> str:
    """Returns the text of the page; `explanations` are those of each Deployment's rescales, in their order."""
    figures = [figure for result in results for figure in (_answers(result), _deployments(result, explanations))]
    return plot_page.page("HPA simulation: " + ", ".join(result.game for result in results), figures, facts)


def _answers(result: GameResult) -> Figure:
    from plotly.subplots import make_subplots

    titles = ("requests per second", "answer time, ms", "degraded answers, %")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=titles)
    group = _group_size(result)
    clock = _clock(result, group)
    rps, times = _maxima(result.rps, group), list(_times_ms(result, group))
    figure.add_scatter(x=clock, y=rps, name="requests per second", line={"color": "#444"}, row=1, col=1)
    for name, values, colour in times:
        figure.add_scatter(x=clock, y=values, name=name, line={"color": colour}, legend=_LEGENDS[1], row=2, col=1)
    degraded = _draw_degraded(figure, clock, result, group)
    plot_figures.dress(figure, f"{result.game} under {result.load}", 780)
    figure.update_layout(meta=plot_figures.WIDE, hovermode="x", margin_r=170, **_legends(figure))
    figure.update_yaxes(row=1, col=1, **plot_figures.even_axis(float(rps.max())))
    figure.update_yaxes(row=2, col=1, **plot_figures.even_axis(max(float(values.max()) for _, values, _ in times)))
    figure.update_yaxes(row=3, col=1, **plot_figures.even_axis(degraded or 1.0))
    _show_clock(figure, result)
    return figure


def _times_ms(result: GameResult, group: int) -> Iterator[tuple[str, Floats, str]]:
    yield "p50", 1000 * _maxima(result.p50_s, group), plot_figures.MEDIAN
    yield "p95", 1000 * _maxima(result.p95_s, group), plot_figures.P95
    yield "p99", 1000 * _maxima(result.p99_s, group), plot_figures.P99


def _draw_degraded(figure: Figure, clock: Sequence[str], result: GameResult, group: int) -> float:
    """Draws the stack without outlines; returns its height.

    The outline of a series that is 0 everywhere would lie on the series below, in the wrong colour.
    """
    stack = {"stackgroup": "degraded", "legend": _LEGENDS[2], "row": 3, "col": 1}
    height = np.zeros(len(clock))
    for name, values, colour in (
        ("partial", result.partial, plot_figures.PARTIAL),
        ("fallback", result.fallback, plot_figures.FALLBACK),
    ):
        percent = 100 * _maxima(values, group)
        height += percent
        if percent.any():
            figure.add_scatter(
                x=clock, y=percent, name=name, fillcolor=colour, line={"color": colour, "width": 0}, **stack
            )
    if not height.any():
        figure.add_scatter(x=clock, y=height, name="none", line={"color": plot_figures.QUIET}, **stack)
    return float(height.max())


def _legends(figure: Figure) -> dict[str, Any]:
    """Puts a legend next to each plot."""
    tops = [figure.layout[f"yaxis{number or ''}"].domain[1] for number in ("", 2, 3)]
    place = {"orientation": "v", "x": 1.01, "xanchor": "left", "yanchor": "top"}
    return {name: {**place, "y": top} for name, top in zip(_LEGENDS, tops, strict=True)}


def _deployments(result: GameResult, explanations: Explanations) -> Figure:
    from plotly.subplots import make_subplots

    rows = len(result.deployments)
    figure = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.35 / rows,
        subplot_titles=[one.name for one in result.deployments],
        specs=[[{"secondary_y": True}]] * rows,
    )
    for row, one in enumerate(result.deployments, 1):
        _draw(figure, row, one, result, explanations.get(one.name, ()))
    seen: set[str] = set()
    for trace in figure.data:  # one entry per name, whichever Deployment has it first
        trace.update(legendgroup=trace.name, showlegend=trace.name not in seen)
        seen.add(trace.name)
    height = _ROW_PIXELS * rows + 130
    plot_figures.dress(figure, f"{result.game}: replicas (left), and CPU in % of the request (right)", height)
    legend_y = 1 + 36 / (height - 130)  # above the title of the first plot, whatever the height
    figure.update_layout(meta=plot_figures.WIDE, legend_y=legend_y, margin_t=110)
    _show_clock(figure, result)
    return figure


def _draw(
    figure: Figure, row: int, deployment: DeploymentSeries, result: GameResult, explanations: Sequence[str]
) -> None:
    group = _group_size(result)
    clock, on_right = _clock(result, group), {"row": row, "col": 1, "secondary_y": True}
    on_left = {**on_right, "secondary_y": False}
    percent, replicas = _maxima(deployment.percent, group), _maxima(deployment.replicas, group)
    figure.add_scatter(x=clock, y=percent, name="CPU", line_color="#bbb", **on_right)
    if deployment.target_percent is not None:
        target = {"mode": "lines", "line": {"color": "#999", "dash": "dot"}, "name": "target of the CPU"}
        figure.add_scatter(x=[clock[0], clock[-1]], y=[deployment.target_percent] * 2, **target, **on_right)
    if replicas.max() >= deployment.max_replicas:
        plot_figures.draw_limit(figure, (clock[0], clock[-1]), deployment.max_replicas, "max replicas", **on_left)
    for name, values, color in (
        ("desired", replicas, plot_figures.P95),
        ("ready", _maxima(deployment.ready, group), plot_figures.FULL),
    ):
        figure.add_scatter(x=clock, y=values, name=name, line={"color": color, "shape": "hv"}, **on_left)
    _draw_decisions(figure, deployment, result, explanations, on_left)
    figure.update_yaxes(row=row, col=1, secondary_y=False, **plot_figures.count_axis(float(replicas.max())))
    highest = max(float(percent.max()), deployment.target_percent or 0.0)
    figure.update_yaxes(row=row, col=1, secondary_y=True, showgrid=False, **plot_figures.even_axis(highest))


def _draw_decisions(
    figure: Figure,
    deployment: DeploymentSeries,
    result: GameResult,
    explanations: Sequence[str],
    place: Mapping[str, Any],
) -> None:
    figure.add_scatter(
        x=[_date(result, rescale.at_s) for rescale in deployment.rescales],
        y=[rescale.after for rescale in deployment.rescales],
        text=[text.replace("\n", "<br>") for text in explanations],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"color": plot_figures.ERROR, "size": 7},
        name="decisions (hover for the reason)",
        **place,
    )


def _group_size(result: GameResult) -> int:
    """The number of steps that one point of a plot represents."""
    return max(1, len(result.rps) // MAX_POINTS)


def _maxima(values: Floats, group: int) -> Floats:
    """The maximum of each `group` of steps: the page shows the worst values."""
    whole = len(values) // group * group
    return np.asarray(values[:whole].reshape(-1, group).max(axis=1))


def _clock(result: GameResult, group: int) -> list[str]:
    return [_date(result, step * result.step_s) for step in range(0, len(result.rps) // group * group, group)]


def _date(result: GameResult, at_s: float) -> str:
    return f"{_FIRST_DAY + timedelta(seconds=int(result.start_s + at_s)):%Y-%m-%d %H:%M:%S}"


def _show_clock(figure: Figure, result: GameResult) -> None:
    """Labels the axes with the time of day, and the number of the day if there are several."""
    day = "day %-j, " if result.start_s + len(result.rps) * result.step_s > DAY_S else ""
    figure.update_xaxes(tickformat=f"{day}%H:%M", hoverformat=f"{day}%H:%M:%S", showticklabels=True)
