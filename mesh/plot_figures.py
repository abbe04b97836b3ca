"""Figures of the pages of plots: one style, round ticks, and limits as lines; imports plotly only when it draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDE = "wide"  # in `layout.meta`: the figure takes the whole width of the page
# One colour per kind of answer on every page. A partial answer is blue, so that it does not look like a fallback.
FULL, PARTIAL, FALLBACK, ERROR = "#1a7f5a", "#4a90c2", "#e39a1f", "#a3262a"
MEDIAN, P95, P99 = "#1a7f5a", "#4a90c2", "#a3262a"
QUIET = "#9aa5a0"
LIMIT = {"color": "#444444", "dash": "dash", "width": 1.5}
MAX_DECADES = 3  # axes over more decades have ticks at the powers of ten only
ROUND = (1, 2, 5)


def figure(title: str, height: int = 420, *, wide: bool = False) -> Figure:
    """Returns an empty figure with its title, and its legend between the title and the plot."""
    from plotly.graph_objects import Figure

    drawn = Figure()
    dress(drawn, title, height)
    if wide:
        drawn.update_layout(meta=WIDE)
    return drawn


def dress(drawn: Figure, title: str, height: int) -> None:
    """Gives a figure the style of all pages."""
    drawn.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}},
        title_font_size=16,
        height=height,
        margin={"t": 84, "r": 30, "b": 50, "l": 60},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    drawn.update_xaxes(automargin=True, exponentformat="none", separatethousands=True, ticklabelstandoff=4)
    drawn.update_yaxes(automargin=True, exponentformat="none", separatethousands=True, ticklabelstandoff=4)


def draw_limit(drawn: Figure, ends: Sequence[Any], value: float, name: str, **place: Any) -> None:
    """Draws a horizontal line at `value` between the two `ends` of the x axis; its name is in the legend."""
    drawn.add_scatter(x=list(ends), y=[value, value], name=name, mode="lines", line=LIMIT, hoverinfo="name", **place)


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Returns the settings of a logarithmic axis for `values`, with ticks at 1, 2 and 5 times the powers of ten.

    Values of 0 or less have no place on the axis.
    """
    shown = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(shown), max(shown)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = ROUND if math.log10(high / low) <= MAX_DECADES else ROUND[:1]
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    first = max((tick for tick in ticks if tick <= low), default=ticks[0])
    last = min((tick for tick in ticks if tick >= high), default=ticks[-1])
    kept = [tick for tick in ticks if first <= tick <= last]
    ends = [math.log10(first) - 0.02, math.log10(last if last > first else 10 * first) + 0.02]
    return {"type": "log", "tickvals": kept, "ticktext": [plain(tick) for tick in kept], "range": ends}


def count_axis(highest: float) -> dict[str, Any]:
    """Returns the settings of an axis of whole numbers from 0 to `highest`, such as replicas, with about 4 ticks."""
    step = max(1, round_up(highest / 4))
    return {"range": [0, max(1.0, highest * 1.12)], "tick0": 0, "dtick": step, "tickmode": "linear", "tickformat": ",d"}


def even_axis(highest: float) -> dict[str, Any]:
    """Returns the settings of an axis from 0 to `highest`, with about 4 ticks at round numbers."""
    return {"range": [0, (highest or 1.0) * 1.08], "tick0": 0, "dtick": round_up(highest / 5), "tickmode": "linear"}


def round_up(value: float) -> float:
    """Returns the next 1, 2 or 5 times a power of ten, at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*ROUND, 10) if step * power >= value * (1 - 1e-9))


def plain(value: float) -> str:
    """Formats a number without an exponent or an SI prefix: 0.0001, not 100u."""
    text = f"{value:,.9f}"
    return text.rstrip("0").rstrip(".")
