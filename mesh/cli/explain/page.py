"""The page of `mesh explain --html`: a waterfall of the ensemble, and one of each model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from mesh import plot_figures, plot_page
from mesh.cli.explain.report import Report
from mesh.cli.explain.view import equation, headline
from mesh.cli.explain.waterfall import Step, Waterfall

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

RAISES, LOWERS = plot_figures.FULL, plot_figures.ERROR
_ROW_PX, _FRAME_PX = 26, 180
_ROOM = 0.2  # on each side of the path, for the numbers beside the bars


def page(report: Report, facts: Mapping[str, str], top: int) -> str:
    """Returns the text of the page."""
    subject = ", ".join(f"{name} {fact}" for name, fact in report.subject.facts.items())
    offers = {f"Offer {number}": headline(one) for number, one in enumerate(report.explained, 1)}
    known = {"Subject": subject, **offers, "Meaning": report.meaning}
    notes = {"Note": " ".join(report.subject.notes)} if report.subject.notes else {}
    of_ensemble = report.waterfalls(top)
    figures = [_figure(drawn, wide=True) for drawn in of_ensemble]
    titles = {drawn.title for drawn in of_ensemble}
    figures += [_figure(drawn) for drawn in report.models(top) if drawn.title not in titles]
    title = f"Why {report.explained[0].case.offer or 'this score'}"
    against = f", and not {report.explained[1].case.offer}" if len(report.explained) == 2 else ""
    return plot_page.page(title + against, figures, {**known, **notes, **facts})


def _figure(drawn: Waterfall, *, wide: bool = False) -> Figure:
    labels = [f"base = {drawn.base:.4g}", *map(_label, drawn.steps), f"raw score = {drawn.raw:.4g}"]
    title = equation(drawn) if wide else drawn.title
    figure = plot_figures.figure(title, _FRAME_PX + _ROW_PX * len(labels), wide=wide)
    contributions = [step.contribution for step in drawn.steps]
    figure.add_waterfall(
        orientation="h",
        measure=["absolute", *("relative",) * len(contributions), "total"],
        y=labels,
        x=[drawn.base, *contributions, drawn.raw],
        text=["", *(f"{one:+.4g}" for one in contributions), ""],
        textposition="outside",
        cliponaxis=False,
        increasing={"marker": {"color": RAISES}},
        decreasing={"marker": {"color": LOWERS}},
        totals={"marker": {"color": plot_figures.QUIET}},
        connector={"line": {"color": plot_figures.QUIET, "width": 1}},
    )
    figure.update_layout(showlegend=False, title_font_size=16 if wide else 13)
    figure.update_xaxes(title=drawn.unit, range=_range(drawn))
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def _range(drawn: Waterfall) -> list[float]:
    """The ends of the axis: the path of the waterfall, with room for the numbers; not 0, which can be far away."""
    path = list(accumulate((step.contribution for step in drawn.steps), initial=drawn.base))
    room = _ROOM * ((max(path) - min(path)) or 1.0)
    return [min(path) - room, max(path) + room]


def _label(step: Step) -> str:
    if step.values is None:
        return step.name
    different = list(dict.fromkeys(step.values))
    return f"{step.name} = {' / '.join(different)}"
