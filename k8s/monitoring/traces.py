"""The panels of traces: spans that the collector took, spans that were dropped, and the share of lost ones."""

from __future__ import annotations

from k8s.monitoring.grafana import Panel, Query
from k8s.monitoring.queries import OF_GAME, OF_SUPERVISOR, RATE, per_second

_TAKEN, _DROPPED = "mesh_trace_spans_total", "mesh_trace_spans_dropped_total"
_LOST = 'reason=~"collector|queue"'
_SERVICES = {"supervisors": OF_SUPERVISOR, "workers": OF_GAME}


def _spans(service: str, labels: str) -> Panel:
    return Panel(
        f"Spans of {service}",
        "cps",
        (
            Query(f"sum(rate({_TAKEN}{{{labels}}}[{RATE}]))", "taken by the collector"),
            Query(per_second(_DROPPED, labels, "reason"), "dropped: {{reason}}"),
        ),
        "With --trace-to. rate: too many traces a second are kept already. collector, queue: the export failed.",
        is_stacked=True,
    )


def _lost(service: str, labels: str) -> Query:
    lost = f"sum(rate({_DROPPED}{{{labels},{_LOST}}}[{RATE}]))"
    return Query(f"{lost} / ({lost} + sum(rate({_TAKEN}{{{labels}}}[{RATE}])))", service)


TRACES = (
    *(_spans(service, labels) for service, labels in _SERVICES.items()),
    Panel(
        "Lost spans",
        "percentunit",
        tuple(_lost(service, labels) for service, labels in _SERVICES.items()),
        "Share of the exported spans that the collector did not take. MeshTracesLost fires at 10 % for 15 minutes.",
    ),
)
