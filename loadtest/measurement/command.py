"""Runs a command that measures: prints its progress, its report and its findings."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console

from loadtest import interruption
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.report import Report, publish

Measure = Callable[[argparse.Namespace, Plan], Coroutine[Any, Any, Report]]


def run_measurement(measure: Measure, options: argparse.Namespace) -> int:
    """Publishes the report that `measure` returns; the exit code is 0 measured, 1 answers were faulty, 130 interrupted.

    `options` are those of `plan_of` and `publish`.
    """
    stderr, findings = Console(stderr=True, highlight=False), Findings()
    plan = plan_of(options, stderr, findings)
    publish(interruption.run(measure(options, plan)), options)
    return findings.print(stderr)
