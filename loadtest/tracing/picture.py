"""Draws one trace of a collector's file as an SVG: `python -m loadtest.tracing.picture SPANS.json TRACE.svg`.

SPANS.json is the output of the `file` exporter of an OpenTelemetry collector: OTLP in JSON, one batch a line.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WIDTH, NAMES, ROW, TOP = 1000, 250, 20, 46
COLOURS = {"ensemble-mesh-supervisor": "#3b6fb6", "ensemble-mesh-worker": "#d08a2e"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One span: `depth` parents of it are in the trace; the times are in ms since the beginning of the trace."""

    name: str
    service: str
    depth: int
    start_ms: float
    end_ms: float


def bars_of(lines: Iterable[str]) -> list[Bar]:
    """Returns the spans of the trace with the most spans, each after its parent."""
    spans = [pair for line in lines for pair in _spans_in(json.loads(line))]
    counts = Counter(span["traceId"] for span, _ in reversed(spans))  # the last of equal ones: the mesh is warm then
    ((trace, _),) = counts.most_common(1)
    own = [(span, service) for span, service in spans if span["traceId"] == trace]
    began_ns = min(int(span["startTimeUnixNano"]) for span, _ in own)
    known = {span["spanId"] for span, _ in own}
    roots = [span["spanId"] for span, _ in own if span.get("parentSpanId", "") not in known]
    return [bar for root in roots for bar in _below(root, own, began_ns, 0)]


def svg_of(bars: Sequence[Bar]) -> str:
    """Returns the picture of `bars`."""
    whole_ms = max(bar.end_ms for bar in bars)
    scale = (WIDTH - NAMES - 90) / whole_ms
    height = TOP + ROW * len(bars) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    for number, (service, colour) in enumerate(COLOURS.items()):
        parts.append(f'<rect x="{10 + 220 * number}" y="8" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{28 + 220 * number}" y="18">{escape(service)}</text>')
    parts.append(f'<text x="{WIDTH - 10}" y="18" text-anchor="end">{whole_ms:.1f} ms</text>')
    for number, bar in enumerate(bars):
        y, x = TOP + ROW * number, NAMES + scale * bar.start_ms
        width = max(1.0, scale * (bar.end_ms - bar.start_ms))
        parts.append(f'<text x="{10 + 14 * bar.depth}" y="{y + 4}">{escape(bar.name)}</text>')
        colour = COLOURS.get(bar.service, "#888888")
        parts.append(f'<rect x="{x:.1f}" y="{y - 7}" width="{width:.1f}" height="13" fill="{colour}"/>')
        parts.append(f'<text x="{x + width + 5:.1f}" y="{y + 4}">{bar.end_ms - bar.start_ms:.2f} ms</text>')
    return "\n".join([*parts, "</svg>", ""])


def _spans_in(batch: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for resource in batch["resourceSpans"]:
        attributes = resource["resource"]["attributes"]
        service = next(one["value"]["stringValue"] for one in attributes if one["key"] == "service.name")
        for scope in resource["scopeSpans"]:
            yield from ((span, service) for span in scope["spans"])


def _below(span_id: str, spans: Sequence[tuple[dict[str, Any], str]], began_ns: int, depth: int) -> Iterator[Bar]:
    span, service = next(pair for pair in spans if pair[0]["spanId"] == span_id)
    start_ms, end_ms = ((int(span[f"{edge}TimeUnixNano"]) - began_ns) / 1e6 for edge in ("start", "end"))
    yield Bar(span["name"], service, depth, start_ms, end_ms)
    children = [child for child, _ in spans if child.get("parentSpanId") == span_id]
    for child in sorted(children, key=lambda one: int(one["startTimeUnixNano"])):
        yield from _below(child["spanId"], spans, began_ns, depth + 1)


if __name__ == "__main__":
    with Path(sys.argv[1]).open() as file:
        Path(sys.argv[2]).write_text(svg_of(bars_of(file)))
