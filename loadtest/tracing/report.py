"""The report of the comparison: medians of the rounds, and medians and quartiles of the ratios within a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.measurement.aims import Aim
from loadtest.measurement.comparison import COMPARED, US, Column, Comparison, table_of
from loadtest.report import Report

OFF, AGAIN, ON = "off", "off again", "on"
MOST = 1.02  # times the CPU without traces
COLUMNS = {**COMPARED, "supervisor_us": Column("supervisor us", US), "received_mb": Column("MiB", ".1f")}


@dataclass(frozen=True, slots=True)
class Traced:
    """The meshes `OFF`, `AGAIN` and `ON` under one load, and the size of the spans that the collector got."""

    comparison: Comparison
    received_bytes: int


def report_of(found: Sequence[Traced], share: float, machine: str) -> Report:
    """Returns the report."""
    rows = [_row(one, name) for one in found for name in one.comparison.points]
    aims = [_aim(one.comparison) for one in found]
    title = f"Traces of {share:g} %, and of faults: CPU of an answer in all processes, to that without traces"
    return Report({"machine": machine, "share": share, "rows": rows}, [table_of(title, COLUMNS, rows)], aims)


def _aim(one: Comparison) -> Aim:
    return Aim(f"{one.workload}, {one.load}: CPU of an answer, traces / none", one.cpu_ratio(ON), MOST)


def _row(one: Traced, name: str) -> dict[str, object]:
    received_mb = one.received_bytes / 2**20 if name == ON else 0.0
    return {**one.comparison.row(name, "supervisor"), "received_mb": received_mb}
