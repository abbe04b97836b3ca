"""The page of a run: latencies and classes over time, the slowest models; one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as plots

from loadtest.run.knee import Step, knee_of
from loadtest.run.report import NAMES
from loadtest.run.summary import Summary
from mesh import plot_figures
from mesh.plot_page import page

COLOURS = {
    "full": plot_figures.FULL,
    "partial": plot_figures.PARTIAL,
    "fallback": plot_figures.FALLBACK,
    "refused": "#8f7ab8",
    "late": "#d4679c",
    "error": plot_figures.ERROR,
    "wrong": "#222222",
    "unsent": "#b5b5b5",
}
PANELS = ("Latency from the schedule", "Requests per second by class", "Latency by percentile", "Last model to vote")
SECOND = "second of the run"
PIXELS_PER_MODEL = 26


def render(title: str, summary: Summary, slo_ms: float, facts: Mapping[str, str], steps: Sequence[Step] = ()) -> str:
    """The text of the page; with `steps`, the search for the knee comes first, and the knee is in the title."""
    figures = [_latency(summary, slo_ms), _classes(summary), _percentiles(summary, slo_ms), _models(summary)]
    if steps:
        figures.insert(0, _knee(steps, slo_ms))
    return page(f"{title}: {knee_text(steps, slo_ms)}" if steps else title, figures, facts)


def knee_text(steps: Sequence[Step], slo_ms: float) -> str:
    """The knee in words."""
    knee = knee_of(list(steps))
    rate = f"knee at {knee:,.0f} requests per second" if knee else "the knee is below every tried rate"
    return f"{rate} for a p99 of {slo_ms:g} ms"


def _latency(summary: Summary, slo_ms: float) -> plots.Figure:
    figure = plot_figures.figure(PANELS[0])
    seconds = [one.second for one in summary.series]
    series = {name: [getattr(one, f"{name}_ms") for one in summary.series] for name in ("p50", "p95", "p99")}
    for (name, values), colour in zip(
        series.items(), (plot_figures.MEDIAN, plot_figures.P95, plot_figures.P99), strict=True
    ):
        figure.add_scatter(x=seconds, y=values, name=name, mode="lines", line={"color": colour})
    plot_figures.draw_limit(figure, (seconds[0], seconds[-1]), slo_ms, f"SLO {slo_ms:g} ms")
    figure.update_xaxes(title=SECOND, **_seconds_axis(seconds))
    figure.update_yaxes(title="ms", **plot_figures.log_axis([slo_ms, *(v for one in series.values() for v in one)]))
    return figure


def _classes(summary: Summary) -> plots.Figure:
    figure = plot_figures.figure(PANELS[1])
    seconds = [one.second for one in summary.series]
    for name, colour in COLOURS.items():
        if summary.classes.get(name):
            counts = [one.classes.get(name, 0) for one in summary.series]
            figure.add_bar(x=seconds, y=counts, name=name, marker={"color": colour, "line": {"width": 0}})
    offered = [sum(one.classes.values()) for one in summary.series]
    figure.add_scatter(x=seconds, y=offered, name="offered", mode="lines", line={"color": "#222", "shape": "hvh"})
    figure.update_layout(barmode="stack", bargap=0.1)
    figure.update_xaxes(title=SECOND, **_seconds_axis(seconds))
    figure.update_yaxes(title="requests per second", **plot_figures.count_axis(max(offered)))
    return figure


def _seconds_axis(seconds: Sequence[int]) -> dict[str, Any]:
    return {"tick0": 0, "dtick": max(1, plot_figures.round_up((seconds[-1] - seconds[0]) / 8)), "tickmode": "linear"}


def _models(summary: Summary) -> plots.Figure:
    """Horizontal bars, so that the names of many models have room."""
    models = list(summary.last)[::-1]
    figure = plot_figures.figure(PANELS[3], max(420, 150 + PIXELS_PER_MODEL * len(models)))
    for name, shares, colour in (
        ("all answers", summary.last, plot_figures.QUIET),
        ("the slowest 1 %", summary.tail, plot_figures.P99),
    ):
        if shares:
            values = [100 * shares.get(model, 0.0) for model in models]
            figure.add_bar(x=values, y=models, name=name, orientation="h", marker={"color": colour})
    figure.update_layout(legend_traceorder="reversed")
    figure.update_xaxes(title="% of answers in which the model was last", rangemode="tozero")
    return figure


def _percentiles(summary: Summary, slo_ms: float) -> plots.Figure:
    figure, latencies = plot_figures.figure(PANELS[2]), summary.latencies
    for name, values, dash in (
        ("from the schedule", latencies.from_schedule, "solid"),
        ("from the send", latencies.from_send, "dot"),
    ):
        figure.add_scatter(
            x=NAMES, y=values, name=name, mode="lines+markers", line={"color": plot_figures.P95, "dash": dash}
        )
    plot_figures.draw_limit(figure, (NAMES[0], NAMES[-1]), slo_ms, f"SLO {slo_ms:g} ms")
    scale = plot_figures.log_axis([slo_ms, *latencies.from_schedule, *latencies.from_send])
    figure.update_yaxes(title="ms", **scale)
    return figure


def _knee(steps: Sequence[Step], slo_ms: float) -> plots.Figure:
    figure = plot_figures.figure("Search for the knee", wide=True)
    for name, is_held, colour, symbol in (
        ("held", True, plot_figures.FULL, "circle"),
        ("missed", False, plot_figures.ERROR, "x"),
    ):
        chosen = [step for step in steps if step.is_held == is_held]
        figure.add_scatter(
            x=[step.rate_rps for step in chosen],
            y=[step.p99_ms for step in chosen],
            name=name,
            mode="markers",
            cliponaxis=False,
            marker={"color": colour, "size": 11, "symbol": symbol},
        )
    rates = [step.rate_rps for step in steps]
    plot_figures.draw_limit(figure, (min(rates), max(rates)), slo_ms, f"SLO {slo_ms:g} ms")
    if (knee := knee_of(list(steps))) is not None:
        figure.add_vline(x=knee, line={"color": plot_figures.FULL, "dash": "dot"}, annotation_text=f"knee {knee:,.0f}")
    figure.update_xaxes(title="requests per second")
    figure.update_yaxes(title="p99, ms", **plot_figures.log_axis([slo_ms, *(step.p99_ms for step in steps)]))
    return figure
