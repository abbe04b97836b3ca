"""Answers per second by source over the run; locust's charts show all sources together."""

from __future__ import annotations

from collections import Counter
from typing import Any

from plotly.offline import get_plotlyjs

PATH = "/sources"
COLOURS = {"ENSEMBLE": "#1a7f5a", "PARTIAL": "#8bbf4d", "FALLBACK": "#e3b341", "error": "#b8432f"}
Series = dict[str, Any]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Answers by source</title>
<style>body{font-family:system-ui,sans-serif;max-width:1280px;margin:2em auto;color:#222}</style></head>
<body><h1>Answers per second by source</h1><div id="plot"></div><script>PLOTLY</script><script>
async function draw() {
  const series = await (await fetch("PATH.json")).json();
  const times = series.seconds.map((second) => new Date(second * 1000));
  const lines = Object.entries(series.sources).map(([name, one]) => ({
    x: times, y: one.rates, name, stackgroup: "all", line: { shape: "hv", width: 1, color: one.colour },
  }));
  const layout = { height: 560, yaxis: { title: "answers per second", rangemode: "tozero" } };
  Plotly.react("plot", lines, layout);
}
draw(); setInterval(draw, 2000);
</script></body></html>
"""


def series(stats: Any) -> Series:
    """The seconds of the run (epoch) and the answers per second by source, from locust's statistics by name.

    Without the current second, which is incomplete.
    """
    counts = {source: Counter[int]() for source in COLOURS}
    for (name, _), entry in stats.entries.items():
        counts[name.rpartition(" ")[2]].update(entry.num_reqs_per_sec)
    seen = sorted(second for one in counts.values() for second in one)
    seconds = list(range(seen[0], seen[-1])) if seen else []
    sources = {
        source: {"colour": COLOURS[source], "rates": [one[second] for second in seconds]}
        for source, one in counts.items()
        if one
    }
    return {"seconds": seconds, "sources": sources}


def page() -> str:
    """The page that draws the series every two seconds."""
    return _PAGE.replace("PATH", PATH).replace("PLOTLY", get_plotlyjs())
