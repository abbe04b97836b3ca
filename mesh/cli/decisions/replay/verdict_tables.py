"""The verdict on another version as tables for people."""

from __future__ import annotations

import math
from collections import Counter

from rich.console import Console

from mesh.cli.console import print_line, table
from mesh.cli.decisions.replay.output import print_skipped
from mesh.reference.logged.verdict import CONVERSION, QUANTILES, Estimates, Verdict
from mesh.reference.off_policy import Estimate

MAX_FLOWS = 12
NAMES = {
    "logged": "shown in the log",
    "ips": "IPS",
    "snips": "self-normalised IPS",
    "doubly_robust": "doubly robust",
    "gain": "doubly robust less the log",
}


def print_verdict(console: Console, verdict: Verdict, skipped: Counter[str]) -> None:
    """Prints what the version would have shown, its estimates, the warnings, and the decisions that are left out."""
    print_line(
        console,
        f"{verdict.decisions:,} decisions: {verdict.version} ranks another offer first in {verdict.changed:.1%}",
    )
    _print_flows(console, verdict)
    _print_changes(console, verdict)
    _print_estimates(console, verdict)
    for warning in verdict.warnings:
        print_line(console, f"warning: {warning}")
    print_skipped(console, skipped)


def number(metric: str, value: float) -> str:
    """Returns a reward as people read it: a conversion in percent."""
    if math.isnan(value):
        return "-"
    return f"{value:.2%}" if metric == CONVERSION else f"{value:.4g}"


def _print_flows(console: Console, verdict: Verdict) -> None:
    flows = sorted(verdict.flows.items(), key=lambda one: (-one[1], one[0]))
    rows = table(["first in the log", f"first in {verdict.version}"], ["decisions", "share"])
    for (logged, target), count in flows[:MAX_FLOWS]:
        rows.add_row(logged, target, f"{count:,}", f"{count / verdict.decisions:.1%}")
    console.print(rows)
    if len(flows) > MAX_FLOWS:
        print_line(console, f"and {len(flows) - MAX_FLOWS} other pairs (--json has all)")


def _print_changes(console: Console, verdict: Verdict) -> None:
    rows = table([], ["mean", *QUANTILES])
    rows.title, rows.title_justify = f"scores of {verdict.version} less the logged scores", "left"
    rows.add_row(*(f"{verdict.score_change[name]:+.4g}" for name in ("mean", *QUANTILES)))
    console.print(rows)


def _print_estimates(console: Console, verdict: Verdict) -> None:
    kinds = f"{verdict.overlap:.1%} of the decisions could show its offer"
    agreed = f"{verdict.agreeing:,} showed it, effective sample size {verdict.effective:,.0f}"
    print_line(console, f"{kinds}; {agreed}; {verdict.explored:.1%} had a choice of offers (explore)")
    if not verdict.estimates:
        return
    rows = table(["per decision"], [f"{metric} (95 %)" for metric in verdict.estimates])
    for kind, name in NAMES.items():
        rows.add_row(name, *(_cell(metric, found, kind) for metric, found in verdict.estimates.items()))
    console.print(rows)


def _cell(metric: str, estimates: Estimates, kind: str) -> str:
    found: Estimate = getattr(estimates, kind)
    value, low, high = (number(metric, one) for one in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"
