"""The page of a run: latencies and classes over time, the slowest models; one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as plots
from plotly.subplots import make_subplots

from loadtest.run.knee import Step
from loadtest.run.report import NAMES
from loadtest.run.summary import Summary
from mesh.plot_page import page

COLOURS = {
    "full": "#1a7f5a",
    "partial": "#8bbf4d",
    "fallback": "#e3b341",
    "refused": "#d98032",
    "late": "#b8432f",
    "error": "#7d1f1f",
    "wrong": "#c2185b",
    "unsent": "#999999",
}
PANELS = (
    "Latency from the schedule, ms",
    "Requests per second by class",
    "Last model: all answers and the slowest 1 %",
    "Latency by percentile, ms",
)


def render(title: str, summary: Summary, steps: Sequence[Step] = ()) -> str:
    """The text of the page; with `steps`, the search for the knee comes first."""
    figures = [_run(summary)]
    if steps:
        figures.insert(0, _knee(steps))
    return page(title, figures)


def _run(summary: Summary) -> plots.Figure:
    figure = make_subplots(rows=2, cols=2, subplot_titles=PANELS, vertical_spacing=0.14, horizontal_spacing=0.08)
    _draw_latency(figure, summary)
    _draw_classes(figure, summary)
    _draw_models(figure, summary)
    _draw_percentiles(figure, summary)
    figure.update_layout(height=860, template="plotly_white", barmode="stack", legend={"orientation": "h", "y": -0.08})
    return figure


def _draw_latency(figure: plots.Figure, summary: Summary) -> None:
    seconds = [one.second for one in summary.series]
    for name, colour in (("p50", "#1a7f5a"), ("p95", "#d98032"), ("p99", "#b8432f")):
        values = [getattr(one, f"{name}_ms") for one in summary.series]
        line = plots.Scatter(x=seconds, y=values, name=name, mode="lines", line={"color": colour})
        figure.add_trace(line, row=1, col=1)
    figure.update_yaxes(type="log", row=1, col=1)
    figure.update_xaxes(title="second of the run", row=1, col=1)


def _draw_classes(figure: plots.Figure, summary: Summary) -> None:
    seconds = [one.second for one in summary.series]
    for name, colour in COLOURS.items():
        if summary.classes.get(name):
            counts = [one.classes.get(name, 0) for one in summary.series]
            bar = plots.Bar(x=seconds, y=counts, name=name, marker={"color": colour})
            figure.add_trace(bar, row=1, col=2)
    offered = [sum(one.classes.values()) for one in summary.series]
    line = plots.Scatter(x=seconds, y=offered, name="offered", mode="lines", line={"color": "#222", "shape": "hvh"})
    figure.add_trace(line, row=1, col=2)
    figure.update_xaxes(title="second of the run", row=1, col=2)


def _draw_models(figure: plots.Figure, summary: Summary) -> None:
    models = list(summary.last)
    for name, shares, colour in (("of all", summary.last, "#9fb8ad"), ("of the slowest 1 %", summary.tail, "#b8432f")):
        values = [100 * shares.get(model, 0.0) for model in models]
        bar = plots.Bar(x=models, y=values, name=name, offsetgroup=name, marker={"color": colour})
        figure.add_trace(bar, row=2, col=1)
    figure.update_yaxes(title="% of answers", row=2, col=1)


def _draw_percentiles(figure: plots.Figure, summary: Summary) -> None:
    latencies = summary.latencies
    for name, values, dash in (
        ("from the schedule", latencies.from_schedule, "solid"),
        ("from the send", latencies.from_send, "dot"),
    ):
        line = plots.Scatter(
            x=NAMES, y=values, name=name, mode="lines+markers", line={"color": "#33547a", "dash": dash}
        )
        figure.add_trace(line, row=2, col=2)
    figure.update_yaxes(type="log", row=2, col=2)


def _knee(steps: Sequence[Step]) -> plots.Figure:
    figure = plots.Figure()
    for name, is_held, colour in (("held", True, "#1a7f5a"), ("missed", False, "#b8432f")):
        chosen = [step for step in steps if step.is_held == is_held]
        points = plots.Scatter(
            x=[step.rate_rps for step in chosen],
            y=[step.p99_ms for step in chosen],
            name=name,
            mode="markers",
            marker={"color": colour, "size": 11},
        )
        figure.add_trace(points)
    figure.update_layout(title="Search for the knee", height=380, template="plotly_white")
    figure.update_xaxes(title="requests per second")
    figure.update_yaxes(title="p99 ms", type="log")
    return figure
