"""The part of Grafana's dashboard JSON that we use: panels in rows, laid out from left to right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 39
COLUMNS = 24
HEIGHT = 8
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the legend of its lines. `exemplars`: the panel shows those of its histogram."""

    expr: str
    legend: str
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `kind` is Grafana's panel type; every type except `timeseries` shows the latest values."""

    title: str
    unit: str
    queries: Sequence[Query]
    description: str = ""
    kind: str = "timeseries"
    is_stacked: bool = False
    width: int = 8


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that the reader sets: a label's values by `query`, or a free text if `query` is empty."""

    name: str
    query: str = ""
    is_multiple: bool = False
    text: str = ""
    all_value: str = ".+"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: its variables, and rows of panels by their titles."""

    uid: str
    title: str
    variables: Sequence[Variable]
    rows: dict[str, Sequence[Panel]]

    def json(self) -> str:
        """The text of the file that Grafana reads."""
        return json.dumps(_dashboard(self), indent=1, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["ensemble-mesh"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "ensemble-mesh", "tags": ["ensemble-mesh"], "includeVars": True}],
        "templating": {"list": [_datasource_variable(), *map(_variable, dashboard.variables)]},
        "panels": [{"id": place, **panel} for place, panel in enumerate(_panels(dashboard), start=1)],
    }


def _datasource_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(variable: Variable) -> dict[str, Any]:
    if not variable.query:
        chosen = {"text": variable.text, "value": variable.text}
        return {"name": variable.name, "type": "textbox", "query": variable.text, "current": chosen}
    several = {"multi": True, "includeAll": True, "allValue": variable.all_value} if variable.is_multiple else {}
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        **several,
        **({"current": {"text": ["All"], "value": ["$__all"]}} if several else {}),
    }


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    y = 0
    for title, panels in dashboard.rows.items():
        yield {"type": "row", "title": title, "collapsed": False, "gridPos": _at(0, y, COLUMNS, 1), "panels": []}
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + HEIGHT
            yield {**_panel(panel), "gridPos": _at(x, y, panel.width, HEIGHT)}
            x += panel.width
        y += HEIGHT


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    lines: dict[str, Any] = {"fillOpacity": 20 if panel.is_stacked else 0, "showPoints": "never"}
    if panel.is_stacked:
        lines["stacking"] = {"mode": "normal", "group": "A"}
    is_drawn = panel.kind == "timeseries"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": [_target(query, place, panel) for place, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, **({"custom": lines} if is_drawn else {})},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
        if is_drawn
        else {},
    }


def _target(query: Query, place: int, panel: Panel) -> dict[str, Any]:
    is_instant = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + place),
        "datasource": _DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": is_instant,
        "range": not is_instant,
        **({"format": "table"} if panel.kind == "table" else {}),
        **({"exemplar": True} if query.exemplars else {}),
    }
