"""The report of a simulation: one self-contained HTML page of plots, each decision with its reason on hover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import GameResult, Track
from mesh import plot_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_POINTS = 720
_ROW_PIXELS = 170
Reasons = Mapping[str, Sequence[str]]


def page(results: Sequence[GameResult], reasons: Reasons, remark: str) -> str:
    """The page's text; `reasons` are the lines of each Deployment's rescales, in their order."""
    figures = [figure for result in results for figure in (_answers(result), _deployments(result, reasons))]
    return plot_page.page("HPA simulation: " + ", ".join(result.game for result in results), figures, remark)


def _answers(result: GameResult) -> Figure:
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    titles = ("requests a second", "answer time, ms", "degraded answers, %")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    every = _every(result)
    clock = _clock(result, every)
    figure.add_scatter(x=clock, y=_thinned(result.rps, every), name="requests a second", row=1, col=1)
    for name, values in (("p50", result.p50_s), ("p95", result.p95_s), ("p99", result.p99_s)):
        figure.add_scatter(x=clock, y=1000 * _thinned(values, every), name=name, row=2, col=1)
    for name, values in (("partial", result.partial), ("fallback", result.fallback)):
        drawn = Scatter(x=clock, y=100 * _thinned(values, every), name=name, stackgroup="degraded")
        figure.add_trace(drawn, row=3, col=1)
    figure.update_layout(height=720, title=f"{result.game} under {result.load}", hovermode="x")
    return figure


def _deployments(result: GameResult, reasons: Reasons) -> Figure:
    from plotly.subplots import make_subplots

    rows = len(result.tracks)
    figure = make_subplots(
        rows=rows,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.25 / rows,
        subplot_titles=[track.name for track in result.tracks],
        specs=[[{"secondary_y": True}]] * rows,
    )
    for row, track in enumerate(result.tracks, 1):
        _draw(figure, row, track, result, reasons.get(track.name, ()))
    figure.update_layout(height=_ROW_PIXELS * rows + 100, title="replicas (left) and CPU, % of the request (right)")
    return figure


def _draw(figure: Figure, row: int, track: Track, result: GameResult, reasons: Sequence[str]) -> None:
    every, first = _every(result), row == 1
    clock, on_right = _clock(result, every), {"row": row, "col": 1, "secondary_y": True}
    on_left = {**on_right, "secondary_y": False}
    percent = _thinned(track.percent, every)
    figure.add_scatter(x=clock, y=percent, name="CPU", line_color="#bbb", showlegend=first, **on_right)
    if track.target_percent is not None:
        aims = {"mode": "lines", "line": {"color": "#999", "dash": "dot"}, "name": "target", "showlegend": first}
        figure.add_scatter(x=[clock[0], clock[-1]], y=[track.target_percent] * 2, **aims, **on_right)
    for name, values, color in (("asked for", track.replicas, "#1f77b4"), ("ready", track.ready, "#2ca02c")):
        line = {"color": color, "shape": "hv"}
        figure.add_scatter(x=clock, y=_thinned(values, every), name=name, line=line, showlegend=first, **on_left)
    figure.add_scatter(
        x=[_shown(result, rescale.at_s) for rescale in track.rescales],
        y=[rescale.after for rescale in track.rescales],
        text=[text.replace("\n", "<br>") for text in reasons],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"color": "#d62728", "size": 7},
        name="decisions",
        showlegend=first,
        **on_left,
    )


def _every(result: GameResult) -> int:
    return max(1, len(result.rps) // MOST_POINTS)


def _thinned(values: Floats, every: int) -> Floats:
    """The highest of every so many: a page shows what was worst."""
    whole = len(values) // every * every
    return np.asarray(values[:whole].reshape(-1, every).max(axis=1))


def _clock(result: GameResult, every: int) -> list[str]:
    return [_shown(result, step * result.step_s) for step in range(0, len(result.rps) // every * every, every)]


def _shown(result: GameResult, at_s: float) -> str:
    """A time for plotly's axis, which wants a date."""
    whole = int(result.start_s + at_s)
    days, second = divmod(whole, 86_400)
    return f"2000-01-{1 + days:02d} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
