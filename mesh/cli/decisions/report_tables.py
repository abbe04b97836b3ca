"""The report on a decision log as tables for people."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from mesh.cli.console import print_line, stdout, table
from mesh.decisions.report.intervals import Interval
from mesh.decisions.report.summary import Difference, Group, Report
from mesh.decisions.report.tallies import SHARES, SOURCES

_NAMES = {"ENSEMBLE": "whole %", "PARTIAL": "partial %", "FALLBACK": "fallback %"}


def print_report(report: Report) -> None:
    """Prints the tables of a report."""
    out = stdout()
    print_line(out, f"{report.game}, {_days(report)}, {report.log}")
    out.print()
    out.print(_counts(report))
    out.print()
    out.print(_metrics(report))
    if report.differences:
        out.print()
        out.print(_differences(report))
    out.print()
    _print_notes(out, report)


def _days(report: Report) -> str:
    same = report.first_day == report.last_day
    return report.first_day if same else f"{report.first_day} to {report.last_day}"


def _counts(report: Report) -> Table:
    found = table((report.by,), ("decisions", "players", *_NAMES.values(), "p50 ms", "p95 ms"))
    for group in report.groups:
        shares = (f"{100 * group.sources[source] / group.decisions:.2f}" for source in SOURCES)
        times = ("-" if time is None else f"{time:.1f}" for time in (group.p50_ms, group.p95_ms))
        found.add_row(group.name, f"{group.decisions:,}", f"{group.players:,}", *shares, *times)
    return found


def _metrics(report: Report) -> Table:
    names = list(report.groups[0].metrics)
    found = table((report.by,), [_heading(name) for name in names])
    for group in report.groups:
        found.add_row(group.name, *(_of_group(group, name) for name in names))
    return found


def _heading(metric: str) -> str:
    return f"{metric} % (95 %)" if metric in SHARES else f"{metric} per decision (95 %)"


def _of_group(group: Group, metric: str) -> str:
    found = group.metrics[metric]
    return "-" if found is None else _interval(found, metric)


def _differences(report: Report) -> Table:
    right = ("difference (95 %)", "always-valid (95 %)", "lift % (95 %)", "sure")
    found = table((f"minus {report.baseline}", "metric"), right)
    for one in report.differences:
        found.add_row(one.group, one.metric, *_of_difference(one))
    return found


def _of_difference(one: Difference) -> tuple[str, ...]:
    fixed, lift = one.fixed, one.lift_percent
    always = f"{_number(one.always_valid.low, one.metric)} to {_number(one.always_valid.high, one.metric)}"
    percent = "-" if lift is None else f"{lift.value:+.1f} ({lift.low:+.1f} to {lift.high:+.1f})"
    return _interval(fixed, one.metric, sign="+"), always, percent, "yes" if one.is_sure else "not yet"


def _interval(found: Interval, metric: str, sign: str = "") -> str:
    value, low, high = (_number(one, metric, sign) for one in found)
    return f"{value} ({low} to {high})"


def _number(value: float, metric: str, sign: str = "+") -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{100 * value:{sign}.2f}" if metric in SHARES else f"{value:{sign}.4g}"


def _print_notes(out: Console, report: Report) -> None:
    division = report.division
    test = "" if division.p is None else f" (p = {division.p:.2g})"
    print_line(out, f"division of the players: {division.state}{test}{': ' * bool(division.reason)}{division.reason}")
    if division.state == "mismatch":
        expected = division.expected or {}
        for arm in sorted({*expected, *division.players}):
            print_line(out, f"  {arm}: {division.players.get(arm, 0):,} players, {expected.get(arm, 0):,.0f} planned")
        print_line(
            out, "  do not trust the differences: players or records of an arm are missing, or its share changed"
        )
    if division.shares_changed and report.differences:
        print_line(
            out, "the shares changed: the differences compare the arms within each day and each step of the rollout"
        )
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items() if count)
    if left_out:
        print_line(out, f"left out: {left_out}")
    if not any(one is not None and one.value for group in report.groups for one in group.metrics.values()):
        print_line(
            out, "no decision of the range has an outcome: report outcomes with ReportOutcome (docs/backends.md)"
        )
    if report.without_player:
        print_line(
            out,
            f"{report.without_player:,} decisions have no player: each counts as a player of its own, so the intervals "
            "may be too narrow; keep `player` in the log (decisions.exclude), or log hashes (decisions.players)",
        )
    print_line(out, f"outcomes count up to {report.within_h:g} h after their decision")
    if report.differences:
        print_line(out, "sure: the always-valid interval is on one side of 0; it stays valid if you look every day")
