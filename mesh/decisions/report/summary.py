"""The report: counts, intervals of each group, differences to the baseline, and the check of the players' division."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mesh.decisions.report import intervals, ratios
from mesh.decisions.report.division import HOLDOUT, Division, Period, divide
from mesh.decisions.report.intervals import Interval
from mesh.decisions.report.tallies import FALLBACKS, NO_CHOICE, RANDOMISED, SHARES, SOURCES, Question, Tallies
from mesh.errors import Misconfigured

MAX_LOOKS = 60  # of the cumulative differences: evenly spaced days, the last one included


@dataclass(frozen=True, slots=True)
class Group:
    """The decisions of one group. `metrics` has the mean per decision of each metric, with its 95 % interval."""

    name: str
    decisions: int
    players: int
    sources: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None
    metrics: dict[str, Interval | None]


@dataclass(frozen=True, slots=True)
class Look:
    """The difference with all decisions until the end of `day`: the fixed and the always-valid interval."""

    day: str
    fixed: Interval
    always_valid: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """`group` minus `baseline` in the mean per decision of `metric`. The last of `looks` is now."""

    group: str
    baseline: str
    metric: str
    fixed: Interval
    always_valid: Interval
    lift_percent: Interval | None
    looks: tuple[Look, ...]

    @property
    def is_sure(self) -> bool:
        """Whether the always-valid interval is on one side of 0."""
        return self.always_valid.low > 0 or self.always_valid.high < 0


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a log. `sources` has a row (day, source, decisions) for each that occurs."""

    log: str
    game: str
    first_day: str
    last_day: str
    by: str
    within_h: float
    left_out: dict[str, int]
    without_player: int
    groups: tuple[Group, ...]
    baseline: str | None
    differences: tuple[Difference, ...]
    division: Division
    sources: tuple[tuple[str, str, int], ...]


def summarise(
    log: str, question: Question, tallies: Tallies, baseline: str | None = None, plan: Sequence[Period] | None = None
) -> Report:
    """Computes the report. `baseline` is the group to compare with: the holdout by default, else the first group.

    Raises Misconfigured if there is nothing to report, or if there is no group `baseline`.
    """
    if not len(tallies.player):
        raise Misconfigured([f"{log}: {_nothing(question, tallies)}"])
    division = divide(tallies.firsts, plan)
    name = _baseline(log, question, tallies, baseline)
    strata = division.shares_changed and question.by in RANDOMISED
    differences = () if name is None else tuple(_differences(tallies, name, by_day=strata))
    sources = tuple((row["day"], row["source"], row["decisions"]) for row in tallies.sources)
    return Report(
        log, question.game, tallies.days[0], tallies.days[-1], question.by, question.within_h,
        dict(tallies.left_out), tallies.without_player,
        tuple(_groups(tallies)), name, differences, division, sources,
    )  # fmt: skip


def _nothing(question: Question, tallies: Tallies) -> str:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in tallies.left_out.items() if count)
    hint = f"left out: {left_out}; see --method" if left_out else "give another range with --from and --to"
    return f"has no decisions of {question.game} by {question.method} in the range; {hint}"


def _baseline(log: str, question: Question, tallies: Tallies, wanted: str | None) -> str | None:
    if question.by not in RANDOMISED:
        if wanted is not None:
            fix = f"use --by {' or --by '.join(RANDOMISED)}"
            raise Misconfigured([f"--baseline: players are not assigned to a {question.by} at random; {fix}"])
        return None
    if wanted is not None and wanted not in tallies.groups:
        raise Misconfigured([f"--baseline {wanted}: {log} has only {', '.join(tallies.groups)} in the range"])
    return wanted or (HOLDOUT if HOLDOUT in tallies.groups else tallies.groups[0])


def _groups(tallies: Tallies) -> Iterator[Group]:
    for row in tallies.counts:
        code = tallies.groups.index(row["grp"])
        metrics = {name: _interval(tallies, name, code) for name in tallies.metrics}
        sources = {source: row[source] for source in SOURCES}
        yield Group(row["grp"], row["decisions"], row["players"], sources, row["p50_ms"], row["p95_ms"], metrics)


def _interval(tallies: Tallies, metric: str, code: int) -> Interval | None:
    ratio = ratios.ratio_of(tallies.cells(metric, by_day=False), code)
    if ratio is None:
        return None
    return intervals.of_share(ratio) if metric in SHARES else intervals.of_mean(ratio)


def _differences(tallies: Tallies, baseline: str, *, by_day: bool) -> Iterator[Difference]:
    looks = _look_days(len(tallies.days))
    for metric in tallies.metrics:
        cells = tallies.cells(metric, by_day=by_day)
        for name in tallies.groups:
            if name != baseline and not name.endswith((FALLBACKS, NO_CHOICE)):
                yield from _difference(tallies, cells, (name, baseline, metric), looks)


def _difference(
    tallies: Tallies, cells: ratios.Cells, names: tuple[str, str, str], looks: Sequence[int]
) -> Iterator[Difference]:
    """Yields the difference, if both groups have enough players and the metric occurs in one of them."""
    arm, baseline = (tallies.groups.index(name) for name in names[:2])
    chosen = np.isin(cells.arm, (arm, baseline))
    cells, day = cells.where(chosen), tallies.day[chosen]
    path: list[Look] = []
    mixture = 0.0
    found = None
    for last in looks:
        found = ratios.contrast(cells.where(day <= last), arm, baseline)
        if found is None or found.variance <= 0:
            continue
        mixture = mixture or intervals.mixture_variance(found)
        path.append(Look(tallies.days[last], intervals.of_difference(found), intervals.always_valid(found, mixture)))
    if found is not None and path:
        lift = intervals.of_lift(found)
        yield Difference(*names, path[-1].fixed, path[-1].always_valid, lift, tuple(path))


def _look_days(days: int) -> list[int]:
    return sorted({round(at) for at in np.linspace(0, days - 1, min(days, MAX_LOOKS))})
