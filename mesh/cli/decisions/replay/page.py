"""The verdict on another version as an HTML page of plots: estimates with intervals, offers, changes of scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mesh import plot_figures, plot_page
from mesh.cli.decisions.replay.verdict_tables import NAMES
from mesh.reference.logged.verdict import CONVERSION, QUANTILES, Verdict

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LOGGED, _OTHER = plot_figures.QUIET, plot_figures.FULL


def page(game: str, verdict: Verdict, facts: Mapping[str, str]) -> str:
    """Returns the text of the page; requires plotly."""
    about = {
        "Decisions": f"{verdict.decisions:,}, another first offer in {verdict.changed:.1%}",
        "Evidence": f"overlap {verdict.overlap:.1%}, {verdict.agreeing:,} decisions with the same offer, effective "
        f"sample size {verdict.effective:,.0f}",
    }
    warnings = {f"Warning {at}": text for at, text in enumerate(verdict.warnings, 1)}
    title = f"What {verdict.version} would have shown in {game}"
    return plot_page.page(title, list(_figures(verdict)), {**about, **warnings, **facts})


def _figures(verdict: Verdict) -> Iterator[Figure]:
    yield from (_estimates(verdict, metric) for metric in verdict.estimates)
    yield _offers(verdict)
    yield _flows(verdict)
    yield _changes(verdict)


def _estimates(verdict: Verdict, metric: str) -> Figure:
    """Draws the logged mean and the estimates with their intervals, from top to bottom."""
    scale, unit = (100, " in percent") if metric == CONVERSION else (1, "")
    drawn = plot_figures.figure(f"{metric} per decision{unit}, with 95 % intervals", 340)
    estimates = verdict.estimates[metric]
    for kind, name in NAMES.items():
        if kind == "gain":
            continue
        found = getattr(estimates, kind)
        drawn.add_scatter(
            x=[scale * found.value],
            y=[name],
            mode="markers",
            name=name,
            marker={"size": 10, "color": _LOGGED if kind == "logged" else _OTHER},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [scale * (found.high - found.value)],
                "arrayminus": [scale * (found.value - found.low)],
            },
        )
    drawn.update_layout(showlegend=False)
    drawn.update_yaxes(autorange="reversed")
    return drawn


def _offers(verdict: Verdict) -> Figure:
    """Draws how often each offer is first, in the log and by the other version."""
    logged, other = Counter[str](), Counter[str]()
    for (best, target), count in verdict.flows.items():
        logged[best] += count
        other[target] += count
    offers = sorted({*logged, *other}, key=lambda offer: -logged[offer])
    drawn = plot_figures.figure("offers that are ranked first, in percent of the decisions")
    for name, counts, colour in (("log", logged, _LOGGED), (verdict.version, other, _OTHER)):
        shares = [100 * counts[offer] / verdict.decisions for offer in offers]
        drawn.add_bar(x=offers, y=shares, name=name, marker={"color": colour})
    return drawn


def _flows(verdict: Verdict) -> Figure:
    """Draws which offer of the log becomes which offer of the other version, as a map."""
    offers = sorted({offer for pair in verdict.flows for offer in pair})
    shares = [[100 * verdict.flows.get((best, target), 0) / verdict.decisions for target in offers] for best in offers]
    drawn = plot_figures.figure("first in the log (rows) and in the other version (columns), in percent")
    drawn.add_heatmap(z=shares, x=offers, y=offers, colorscale="Greens", showscale=True)
    drawn.update_layout(showlegend=False)
    return drawn


def _changes(verdict: Verdict) -> Figure:
    """Draws the quantiles of the changes of the scores."""
    names = list(QUANTILES)
    drawn = plot_figures.figure(f"scores of {verdict.version} less the logged scores: quantiles")
    drawn.add_bar(x=names, y=[verdict.score_change[name] for name in names], marker={"color": _OTHER})
    drawn.update_layout(showlegend=False)
    return drawn
