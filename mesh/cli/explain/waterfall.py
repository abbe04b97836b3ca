"""Waterfalls: from the base over the contributions of the most important features to the raw score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mesh.reference.accounts import Account, Member, values_of
from mesh.reference.explanation import Explanation, Input


@dataclass(frozen=True, slots=True)
class Step:
    """The contribution of a feature; `values` are those of the explained offers, `None`: other features."""

    name: str
    values: tuple[str, ...] | None
    contribution: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`base` + the contributions of all `steps`, the largest first, is `raw`, in `unit`."""

    title: str
    base: float
    steps: tuple[Step, ...]
    raw: float
    unit: str


def of_account(title: str, account: Account, explained: Sequence[Explanation], top: int) -> Waterfall:
    """Returns the waterfall of an ensemble, or of the difference of two offers."""
    return _waterfall(title, account.base, account.values, account.raw, account.unit, _inputs(explained), top)


def of_member(member: Member, explained: Sequence[Explanation], top: int) -> Waterfall | None:
    """Returns the waterfall of a model; None if it has no contributions."""
    found = member.contributions
    if found is None:
        return None
    inputs = _inputs(explained)
    return _waterfall(member.name, found.base, values_of(member), found.raw, member.link.unit, inputs, top)


def member_difference(first: Member, second: Member) -> Member:
    """Returns a model whose contributions are the differences between two offers."""
    one, other = first.contributions, second.contributions
    if one is None or other is None:
        return first if one is None else second
    values = tuple(mine - its for mine, its in zip(one.values, other.values, strict=True))
    found = replace(one, base=one.base - other.base, values=values, raw=one.raw - other.raw)
    return replace(first, contributions=found)


def _inputs(explained: Sequence[Explanation]) -> Sequence[Mapping[str, Input]]:
    return [one.case.inputs for one in explained]


def _waterfall(
    title: str,
    base: float,
    values: Mapping[str, float],
    raw: float,
    unit: str,
    inputs: Sequence[Mapping[str, Input]],
    top: int,
) -> Waterfall:
    ordered = sorted((name for name in values if values[name]), key=lambda name: -abs(values[name]))
    steps = [Step(name, tuple(str(one[name]) for one in inputs), values[name]) for name in ordered[:top]]
    if rest := ordered[top:]:
        name = f"{len(rest)} other feature{'s' if len(rest) > 1 else ''}"
        steps.append(Step(name, None, math.fsum(values[name] for name in rest)))
    return Waterfall(title, base, tuple(steps), raw, unit)
