"""The table and the JSON document of an overload run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from loadtest.run import report
from loadtest.run.overload import RECOVERY_S, Load

COUNTED = ("full", "partial", "fallback", "refused", "late", "error")


def overload_table(loads: Sequence[Load], knee_rps: float, connections: int) -> Table:
    """Rates of each class per second, latency, memory and recovery, one row for each offered rate."""
    priority = loads[0].summary.generator.priority
    title = f"Overload of a knee of {knee_rps:,.0f} requests per second; {connections} connections"
    table = Table(title=f"{title}; priority of the generator: {priority}")
    for column in ("x knee", "offered", "sent", *COUNTED, "full of knee", "p99 ms", "memory MB", "recovery s"):
        table.add_column(column, justify="right")
    for load in loads:
        summary = load.summary
        rates = (summary.classes[name] / summary.seconds for name in COUNTED)
        table.add_row(
            f"{load.factor:g}",
            f"{summary.offered_rps:,.0f}",
            f"{summary.sent_rps:,.0f}",
            *(f"{rate:,.0f}" for rate in rates),
            f"{load.summary.whole_rps / knee_rps:.0%}",
            f"{summary.p99_ms:,.0f}",
            "-" if load.memory_mb is None else f"{load.memory_mb:,.0f}",
            _recovery(load, loads[0]),
        )
    return table


def overload_document(loads: Sequence[Load], knee_rps: float, connections: int) -> dict[str, Any]:
    """The JSON document, which `--json` prints."""
    return {
        "knee_rps": round(knee_rps, 1),
        "connections": connections,
        "loads": [
            {
                "factor": load.factor,
                "whole_rps": round(load.summary.whole_rps, 1),
                "whole_of_knee": round(load.summary.whole_rps / knee_rps, 4),
                "recovery_s": load.recovery_s,
                "supervisor_pss_mb": load.memory_mb,
                **report.document(load.summary),
            }
            for load in loads
        ],
    }


def overload_doubts(loads: Sequence[Load]) -> Iterator[str]:
    """The offered rates that the generator could not send."""
    for load in loads:
        if not report.is_held(load.summary):
            sent, offered = load.summary.sent_rps, load.summary.offered_rps
            rates = f"{sent:,.0f} of {offered:,.0f} requests per second"
            yield f"{load.factor:g} times the knee: the generator sent {rates}"


def _recovery(load: Load, control: Load) -> str:
    if load is control:
        return ""
    return f"> {RECOVERY_S:g}" if load.recovery_s is None else f"{load.recovery_s:g}"
