"""The report on a decision log as an HTML page of plots: intervals, differences over the days, sources of answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mesh import plot_figures, plot_page
from mesh.decisions.report.division import Division
from mesh.decisions.report.summary import Difference, Look, Report
from mesh.decisions.report.tallies import SHARES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS = {
    "ENSEMBLE": plot_figures.FULL,
    "PARTIAL": plot_figures.PARTIAL,
    "FALLBACK": plot_figures.FALLBACK,
}
_MARGIN = 0.04  # of the axis above and below the bands
_LINE, _FIXED, _ALWAYS = "#1a7f5a", "rgba(26,127,90,.35)", "rgba(74,144,194,.25)"


def page(report: Report, facts: Mapping[str, str]) -> str:
    """Returns the text of the page; requires plotly."""
    days = f"{report.first_day} to {report.last_day}"
    all_facts = {"Log": report.log, "Days": days, "Division of the players": _sentence(report.division), **facts}
    return plot_page.page(f"Decisions of {report.game}", list(_figures(report)), all_facts)


def _figures(report: Report) -> Iterator[Figure]:
    yield from (_intervals(report, metric) for metric in report.groups[0].metrics)
    yield from (_difference(one) for one in report.differences)
    yield _sources(report)


def _sentence(division: Division) -> str:
    test = "" if division.p is None else f" (p = {division.p:.2g})"
    return f"{division.state}{test}" + (f": {division.reason}" if division.reason else "")


def _intervals(report: Report, metric: str) -> Figure:
    """Draws a point with its interval for each group, from top to bottom."""
    drawn = plot_figures.figure(f"{_title(metric)}, with 95 % intervals", 160 + 34 * len(report.groups))
    shown = [(group.name, group.metrics[metric]) for group in report.groups]
    points = [(name, one) for name, one in shown if one is not None]
    scale = _scale(metric)
    values = [scale * one.value for _, one in points]
    drawn.add_scatter(
        x=values,
        y=[name for name, _ in points],
        mode="markers",
        marker={"color": _LINE, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [scale * (one.high - one.value) for _, one in points],
            "arrayminus": [scale * (one.value - one.low) for _, one in points],
            "color": _LINE,
        },
        showlegend=False,
    )
    drawn.update_yaxes(autorange="reversed", type="category")
    return drawn


def _difference(one: Difference) -> Figure:
    """Draws the difference of all decisions until the end of each day, with both bands."""
    drawn = plot_figures.figure(f"{_title(one.metric)}: {one.group} minus {one.baseline}")
    scale, days = _scale(one.metric), [look.day for look in one.looks]
    for name, colour, bounds in (
        ("always-valid 95 %", _ALWAYS, [(look.always_valid.low, look.always_valid.high) for look in one.looks]),
        ("fixed 95 %", _FIXED, [(look.fixed.low, look.fixed.high) for look in one.looks]),
    ):
        _draw_band(drawn, days, [(scale * low, scale * high) for low, high in bounds], name, colour)
    values = [scale * look.fixed.value for look in one.looks]
    drawn.add_scatter(x=days, y=values, name="difference", mode="lines+markers", line={"color": _LINE})
    plot_figures.draw_limit(drawn, (days[0], days[-1]), 0.0, "no difference")
    drawn.update_xaxes(type="category", nticks=10)
    low, high = _range(one.looks)
    drawn.update_yaxes(range=[scale * low, scale * high])
    return drawn


def _draw_band(
    drawn: Figure, days: Sequence[str], bounds: Sequence[tuple[float, float]], name: str, colour: str
) -> None:
    """Draws the area between two bounds; infinite bounds are left out."""
    known = [(day, low, high) for day, (low, high) in zip(days, bounds, strict=True) if math.isfinite(high - low)]
    x = [day for day, _, _ in known]
    edge = {"mode": "lines", "line": {"width": 0, "color": colour}, "legendgroup": name}
    drawn.add_scatter(x=x, y=[low for _, low, _ in known], showlegend=False, hoverinfo="skip", **edge)
    drawn.add_scatter(x=x, y=[high for _, _, high in known], name=name, fill="tonexty", fillcolor=colour, **edge)


def _range(looks: Sequence[Look]) -> tuple[float, float]:
    """The range of the axis: at most three times the last always-valid interval, because the first days are wide."""
    last = looks[-1].always_valid
    half = 3 * (last.high - last.low) / 2
    lows = [look.always_valid.low for look in looks] + [0.0]
    highs = [look.always_valid.high for look in looks] + [0.0]
    if not math.isfinite(half):
        return -1.0, 1.0
    low, high = max(min(lows), min(last.value - half, 0.0)), min(max(highs), max(last.value + half, 0.0))
    return low - _MARGIN * (high - low), high + _MARGIN * (high - low)


def _sources(report: Report) -> Figure:
    drawn = plot_figures.figure("Decisions by source", wide=True)
    for source, colour in _COLOURS.items():
        rows = [(day, count) for day, name, count in report.sources if name == source]
        drawn.add_bar(
            x=[day for day, _ in rows], y=[count for _, count in rows], name=source.lower(), marker={"color": colour}
        )
    drawn.update_layout(barmode="stack")
    drawn.update_xaxes(type="category", nticks=20, categoryorder="category ascending")
    return drawn


def _title(metric: str) -> str:
    return f"{metric} %" if metric in SHARES else f"{metric} per decision"


def _scale(metric: str) -> float:
    return 100.0 if metric in SHARES else 1.0
