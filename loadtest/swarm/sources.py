"""Answers per second and latency by source over the run; locust's charts show all sources together."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from plotly.offline import get_plotlyjs

from loadtest.swarm.histogram import bucket_at, value_of
from loadtest.swarm.timeline import QUANTILES, SOURCES, Timeline, row_of
from mesh import plot_figures
from mesh.plot_page import STYLE

PATH = "/sources"
COLOURS = dict(
    zip(SOURCES, (plot_figures.FULL, plot_figures.PARTIAL, plot_figures.FALLBACK, plot_figures.ERROR), strict=True)
)
COLUMNS = {
    "source": "Source",
    "answers": "Requests",
    "share": "Share %",
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
}
UNKNOWN = "unknown players"
Series = dict[str, Any]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Answers by source</title>
<style>STYLE main{display:block}</style></head><body><h1>Answers by source</h1><dl id="facts">FACTS</dl>
<div id="rates"></div><div id="latencies"></div><script>PLOTLY</script><script>
const base = {
  height: 380, margin: { t: 70, r: 30, b: 50, l: 70 }, showlegend: true, hovermode: "x",
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
  xaxis: { title: { text: "time" }, tickformat: "%H:%M:%S", hoverformat: "%H:%M:%S", automargin: true },
};
const titled = (text) => ({ text, x: 0, xref: "paper", font: { size: 16 } });
const axis = (text) => ({ title: { text }, rangemode: "tozero", exponentformat: "none", automargin: true });
const config = { displaylogo: false, responsive: true };
async function draw() {
  const series = await (await fetch("PATH.json")).json();
  const times = series.seconds.map((second) => new Date(second * 1000));
  const sources = Object.entries(series.sources);
  const rates = sources.map(([name, one]) => ({
    x: times, y: one.rates, name, stackgroup: "all", fillcolor: one.colour,
    line: { shape: "hv", width: 0, color: one.colour },
  }));
  const latencies = sources.flatMap(([name, one]) => [["p50", "dot"], ["p99", "solid"]].map(([which, dash]) => ({
    x: times, y: one[which], name: `${name} ${which}`, mode: "lines+markers", line: { color: one.colour, dash },
    marker: { size: 4 },
  })));
  if (times.length) latencies.push({
    x: [times[0], times.at(-1)], y: [series.deadline_ms, series.deadline_ms], mode: "lines",
    name: `deadline ${series.deadline_ms} ms`, line: { color: "#444", dash: "dash", width: 1.5 },
  });
  Plotly.react("rates", rates,
    { ...base, title: titled("Answers per second"), yaxis: axis("answers per second") }, config);
  Plotly.react("latencies", latencies,
    { ...base, title: titled("Latency from the send"), yaxis: axis("ms") }, config);
}
draw(); setInterval(draw, 2000);
</script></body></html>
"""

# The tab of the page in locust's interface: a frame below the tab's table, there while the tab is open.
FRAME = """<script>
setInterval(() => {
  const open = new URLSearchParams(location.search).get("tab") === "sources";
  const shown = document.getElementById("sources");
  if (open === Boolean(shown)) return;
  if (shown) return shown.remove();
  const table = document.querySelector("#root table");
  if (!table) return;
  const frame = document.createElement("iframe");
  Object.assign(frame, { id: "sources", src: ".PATH", title: "Answers by source" });
  frame.style.cssText = "width:100%;height:960px;border:0;margin-top:1em;background:#fff";
  (table.closest(".MuiPaper-root") || table).parentElement.append(frame);
}, 300);
</script>""".replace("PATH", PATH)


def series(timeline: Timeline, until_s: float, deadline_ms: float) -> Series:
    """The start of each span (epoch), and by source: requests per second, p50 and p99 in ms (None without requests).

    Without the spans after `until_s`, which are incomplete. Sources without requests are left out.
    """
    points = list(timeline.points(until_s=until_s))
    seen = [name for name in SOURCES if any(name in histograms for _, histograms in points)]
    return {
        "seconds": [second for second, _ in points],
        "deadline_ms": deadline_ms,
        "sources": {
            name: {
                "colour": COLOURS[name],
                "rates": [found.get(name, Counter()).total() / timeline.width_s for _, found in points],
                "p50": [_percentile(found.get(name), 50) for _, found in points],
                "p99": [_percentile(found.get(name), 99) for _, found in points],
            }
            for name in seen
        },
    }


def _percentile(counts: Counter[int] | None, percent: float) -> float | None:
    return value_of(bucket_at(counts, percent)) if counts else None


def rows(timeline: Timeline) -> Iterator[dict[str, str | float]]:
    """A row of the table for each source, and one for the players that the store does not have."""
    total = {name: Counter[int]() for name in SOURCES}
    for _, histograms in timeline.points():
        for name, counts in histograms.items():
            total[name].update(counts)
    answers = sum(counts.total() for counts in total.values())
    for name, counts in total.items():
        if counts:
            found = row_of({name: counts})
            times = {quantile: found[quantile] for quantile in QUANTILES}
            yield {
                "source": name,
                "answers": counts.total(),
                "share": round(100 * counts.total() / answers, 2),
                **times,
            }
    if timeline.unknown:
        share = round(100 * timeline.unknown / answers, 2)
        yield {"source": UNKNOWN, "answers": timeline.unknown, "share": share, "p50": "", "p95": "", "p99": ""}


def page(facts: Mapping[str, str]) -> str:
    """The page that draws the series every two seconds."""
    terms = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>" for name, fact in facts.items())
    text = _PAGE.replace("PATH", PATH).replace("STYLE", STYLE).replace("FACTS", terms)
    return text.replace("PLOTLY", get_plotlyjs())
