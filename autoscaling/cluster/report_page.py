"""The report of a simulation: one HTML page of plots, which explains each decision on hover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import DeploymentSeries, GameResult
from mesh import plot_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_POINTS = 720
_ROW_PIXELS = 170
Explanations = Mapping[str, Sequence[str]]


def page(results: Sequence[GameResult], explanations: Explanations, remark: str) -> str:
    """Returns the text of the page; `explanations` are those of each Deployment's rescales, in their order."""
    figures = [figure for result in results for figure in (_answers(result), _deployments(result, explanations))]
    return plot_page.page("HPA simulation: " + ", ".join(result.game for result in results), figures, remark)


def _answers(result: GameResult) -> Figure:
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    titles = ("requests per second", "answer time, ms", "degraded answers, %")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    group = _group_size(result)
    clock = _clock(result, group)
    figure.add_scatter(x=clock, y=_maxima(result.rps, group), name="requests per second", row=1, col=1)
    for name, values in (("p50", result.p50_s), ("p95", result.p95_s), ("p99", result.p99_s)):
        figure.add_scatter(x=clock, y=1000 * _maxima(values, group), name=name, row=2, col=1)
    for name, values in (("partial", result.partial), ("fallback", result.fallback)):
        drawn = Scatter(x=clock, y=100 * _maxima(values, group), name=name, stackgroup="degraded")
        figure.add_trace(drawn, row=3, col=1)
    figure.update_layout(height=720, title=f"{result.game} under {result.load}", hovermode="x")
    return figure


def _deployments(result: GameResult, explanations: Explanations) -> Figure:
    from plotly.subplots import make_subplots

    rows = len(result.deployments)
    figure = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.25 / rows,
        subplot_titles=[one.name for one in result.deployments],
        specs=[[{"secondary_y": True}]] * rows,
    )
    for row, one in enumerate(result.deployments, 1):
        _draw(figure, row, one, result, explanations.get(one.name, ()))
    figure.update_layout(height=_ROW_PIXELS * rows + 100, title="replicas (left) and CPU, % of the request (right)")
    return figure


def _draw(
    figure: Figure, row: int, deployment: DeploymentSeries, result: GameResult, explanations: Sequence[str]
) -> None:
    group, first = _group_size(result), row == 1
    clock, on_right = _clock(result, group), {"row": row, "col": 1, "secondary_y": True}
    on_left = {**on_right, "secondary_y": False}
    percent = _maxima(deployment.percent, group)
    figure.add_scatter(x=clock, y=percent, name="CPU", line_color="#bbb", showlegend=first, **on_right)
    if deployment.target_percent is not None:
        target = {"mode": "lines", "line": {"color": "#999", "dash": "dot"}, "name": "target", "showlegend": first}
        figure.add_scatter(x=[clock[0], clock[-1]], y=[deployment.target_percent] * 2, **target, **on_right)
    for name, values, color in (("desired", deployment.replicas, "#1f77b4"), ("ready", deployment.ready, "#2ca02c")):
        line = {"color": color, "shape": "hv"}
        figure.add_scatter(x=clock, y=_maxima(values, group), name=name, line=line, showlegend=first, **on_left)
    figure.add_scatter(
        x=[_date(result, rescale.at_s) for rescale in deployment.rescales],
        y=[rescale.after for rescale in deployment.rescales],
        text=[text.replace("\n", "<br>") for text in explanations],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"color": "#d62728", "size": 7},
        name="decisions",
        showlegend=first,
        **on_left,
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
    """Formats a time for the axis of plotly, which requires a date."""
    whole = int(result.start_s + at_s)
    days, second = divmod(whole, 86_400)
    return f"2000-01-{1 + days:02d} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
