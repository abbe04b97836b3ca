"""The page of a comparison: one self-contained HTML file with the figures of every system by load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as plots
from plotly.subplots import make_subplots

from loadtest.compare.results import Comparison, Figures
from mesh import plot_figures
from mesh.plot_page import page

LIMIT = "limit"
COLOURS = {
    "mesh": "#1a7f5a",
    "mesh-lightgbm": "#2f7fb8",
    "naive": "#c98a1b",
    "monolith": "#7a6f9b",
    "ray": "#b8432f",
    LIMIT: "#888888",
}
PANELS = ("answers per second", "p50, ms", "p95, ms", "CPU per answer, us")


def render(measured: Sequence[Comparison], machine: str, facts: Mapping[str, str]) -> str:
    """The text of the page; `facts` say where it comes from."""
    figures = [_figure(comparison) for comparison in measured]
    return page("ensemble-mesh and its peers", figures, {"Machine": machine, "Figures": "medians of rounds", **facts})


def _figure(comparison: Comparison) -> plots.Figure:
    figure = make_subplots(rows=1, cols=len(PANELS), subplot_titles=PANELS)
    for name, outcome in comparison.systems.items():
        _draw(figure, name, [(load, at) for load, at in outcome.loads.items()])
    if comparison.limit:
        _draw(figure, LIMIT, list(comparison.limit.items()))
    workload = comparison.workload
    plot_figures.dress(figure, f"{workload.game.upper()}: {workload.title}", 460)
    figure.update_layout(meta=plot_figures.WIDE, legend_y=1.12, margin_t=120)
    figure.update_xaxes(type="category", title="load" if comparison.limit else "callers")
    for number in range(1, len(PANELS) + 1):
        drawn = [value for trace in figure.select_traces(row=1, col=number) for value in trace.y]
        figure.update_yaxes(row=1, col=number, **plot_figures.log_axis([value or 0.0 for value in drawn]))
    return figure


def _draw(figure: plots.Figure, name: str, loads: Sequence[tuple[float, Figures]]) -> None:
    positions = [f"{load:.0%}" if load < 1 else f"{load:g}" for load, _ in loads]
    columns = (
        [at.rps for _, at in loads],
        [at.p50_ms for _, at in loads],
        [at.p95_ms for _, at in loads],
        [at.cpu_us or None for _, at in loads],
    )
    for number, values in enumerate(columns, 1):
        line = plots.Scatter(
            x=positions,
            y=values,
            name=name,
            legendgroup=name,
            showlegend=number == 1,
            mode="lines+markers",
            line={"color": COLOURS[name], "dash": "dot" if name == LIMIT else "solid"},
        )
        figure.add_trace(line, row=1, col=number)
