"""How the players are divided among the arms: compared with the plan, and over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mesh.catalog.catalog import Catalog
from mesh.catalog.shifts import planned_version, shares_at
from mesh.decisions.report import sample_ratio
from mesh.decisions.report.ratios import Codes, Floats

HOLDOUT = "holdout"
MAX_MOVED = 0.001  # part of the players in several arms by which a change of the shares is recognised
_DAY_S = 86_400


class Firsts(NamedTuple):
    """The first arm of each player: `arm` [players] are codes of `arms`, `time_s` the time of the first decision.

    `moved` players were in several arms.
    """

    arms: tuple[str, ...]
    arm: Codes
    time_s: Floats
    moved: int


class Period(NamedTuple):
    """The planned percentages of the players from `start_s` (seconds since 1970) on; the holdout is one of the arms."""

    start_s: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Division:
    """The result. `state` is `as planned`, `mismatch` or `not tested`, and `reason` says why.

    `players` and `expected` are by arm; `expected` is None without a plan. `shares_changed`: within the range.
    """

    state: str
    reason: str
    p: float | None
    players: dict[str, int]
    expected: dict[str, float] | None
    shares_changed: bool


def plan_of(catalog: Catalog) -> list[Period]:
    """Returns the plan of a catalog: its shares, or those of each step of its rollout."""
    planned = planned_version(catalog.versions)
    starts = [-math.inf] if planned is None else [step.start_s for step in planned[1].all_steps()]
    holdout = catalog.assignment.holdout
    found = []
    for start_s in starts:
        of_versions = shares_at(catalog.versions, start_s)
        whole = sum(of_versions.values())
        shares = {name: share / whole * (100 - holdout) for name, share in of_versions.items()}
        found.append(Period(start_s, {**shares, HOLDOUT: holdout}))
    return found


def steps_s(plan: Sequence[Period] | None) -> tuple[float, ...]:
    """Returns the times at which the planned shares change, in seconds since 1970."""
    return tuple(period.start_s for period in plan or () if math.isfinite(period.start_s))


def divide(firsts: Firsts, plan: Sequence[Period] | None) -> Division:
    """Compares the division with the plan, and finds out whether the shares changed."""
    counts = np.bincount(firsts.arm, minlength=len(firsts.arms)).tolist()
    players = dict(zip(firsts.arms, counts, strict=True))
    is_moved = firsts.moved > MAX_MOVED * len(firsts.arm)
    if plan is None:
        return _without_plan(firsts, players, is_moved)
    period = np.searchsorted([one.start_s for one in plan], firsts.time_s, side="right") - 1
    used = np.unique(period)
    names = sorted({*firsts.arms, *(name for at in used for name, share in plan[at].shares.items() if share > 0)})
    shares = np.array([[plan[at].shares.get(name, 0.0) for name in names] for at in used])
    if len(used) == 1 and is_moved:
        reason = f"{firsts.moved:,} players were in several arms: the shares changed in the range, not as planned"
        return Division("not tested", f"{reason}; choose a range without a change", None, players, None, True)
    arm = np.array([names.index(name) for name in firsts.arms])[firsts.arm]
    found = sample_ratio.against_plan(_counts(np.searchsorted(used, period), arm, len(used), len(names)), shares)
    expected = dict(zip(names, found.expected.sum(axis=0).tolist(), strict=True))
    changed = len(used) > 1
    note = "the shares changed as planned; each player counts at the first decision" if changed else ""
    if found.p is None:
        return Division("not tested", "too few players", None, players, expected, changed)
    return Division("mismatch" if found.is_mismatch else "as planned", note, found.p, players, expected, changed)


def _without_plan(firsts: Firsts, players: dict[str, int], is_moved: bool) -> Division:
    day = (firsts.time_s // _DAY_S).astype(np.int64)
    days = day - day.min()
    over_time = sample_ratio.over_time(_counts(days, firsts.arm, int(days.max()) + 1, len(firsts.arms)))
    reason = "no plan to compare with: give --catalog"
    changed = is_moved or over_time.is_mismatch
    if changed:
        why = f"{firsts.moved:,} players were in several arms" if is_moved else "the division differs between days"
        reason = f"{reason}; the shares changed in the range: {why}"
    return Division("not tested", reason, None, players, None, changed)


def _counts(row: Codes, column: Codes, rows: int, columns: int) -> sample_ratio.Counts:
    return np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
