"""A preset of a comparison: the systems on each workload, the durations, and the files with the results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtest import interruption
from loadtest.compare import report
from loadtest.compare.aims import aims
from loadtest.compare.documents import Document
from loadtest.compare.results import Comparison
from loadtest.compare.rounds import Rounds, Spans
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.peers.system import Peer
from loadtest.report import Report, publish, write_json
from loadtest.workloads import Workload

Measured = Sequence[Comparison]


@dataclass(frozen=True, slots=True)
class Preset:
    """`document` and `page` make the content of the JSON file and of the HTML page from the results so far.

    With `is_strict`, a system that cannot be measured ends the comparison.
    """

    workloads: Sequence[Workload]
    peers: Callable[[Workload, Plan], Sequence[Peer]]
    spans: Spans
    is_strict: bool
    document: Callable[[Measured], Document]
    page: Callable[[Measured], str] | None = None


def run(preset: Preset, options: argparse.Namespace) -> int:
    """Compares and publishes the report.

    The exit code is 0 measured, 1 some answers were not full or a system was left out. Raises an error of FAILURES
    when nothing was measured.
    """
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    measured = interruption.run(_compare(preset, plan_of(options, stderr, findings), options.out))
    tables = [table for comparison in measured for table in report.tables(comparison)]
    publish(Report(preset.document(measured), tables, aims(measured)), options)
    return findings.print(stderr)


async def _compare(preset: Preset, plan: Plan, out: Path) -> list[Comparison]:
    plan.progress(machine.described())
    measured: list[Comparison] = []
    for workload in preset.workloads:
        peers, spans = preset.peers(workload, plan), preset.spans.lasting(plan.seconds)
        measured.append(await Rounds(workload, peers, plan, spans, preset.is_strict).compare())
        _save(preset, measured, out)  # after each workload, so that an interrupted run keeps its results
    return measured


def _save(preset: Preset, measured: Measured, out: Path) -> None:
    write_json(out, preset.document(measured))
    if preset.page is not None:
        out.with_suffix(".html").write_text(preset.page(measured))
