"""The knee: the highest rate at which a mesh still keeps its promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CLOSE_ENOUGH = 1.05
MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One rate that was tried: `is_held` when the promise was kept; `is_limit` when the generator could not do it."""

    rate_rps: float
    p99_ms: float
    full: float
    is_held: bool
    is_limit: bool = False


def find_knee(first_rps: float, measure: Callable[[float], Step]) -> list[Step]:
    """Doubles the rate until the promise is broken, then halves the gap until it is 5 %; every step, in order.

    Goes down instead when the first rate is too high already.
    """
    steps = [measure(first_rps)]
    while steps[-1].is_held == steps[0].is_held and len(steps) <= MOST_DOUBLINGS:
        factor = 2.0 if steps[0].is_held else 0.5
        steps.append(measure(steps[-1].rate_rps * factor))
    while (gap := _gap(steps)) is not None:
        held, broken = gap
        if broken / held <= CLOSE_ENOUGH:
            break
        steps.append(measure((held * broken) ** 0.5))
    return steps


def knee_of(steps: list[Step]) -> float | None:
    """The highest rate that was held below the lowest that was not; None when none was."""
    gap = _gap(steps)
    held = [step.rate_rps for step in steps if step.is_held and (gap is None or step.rate_rps < gap[1])]
    return max(held, default=None)


def is_generators(steps: list[Step]) -> bool:
    """Whether what bounds the knee is that the generator could not send more, not that the mesh broke."""
    broken = [step for step in steps if not step.is_held]
    return bool(broken) and min(broken, key=lambda step: step.rate_rps).is_limit


def _gap(steps: list[Step]) -> tuple[float, float] | None:
    broken = min((step.rate_rps for step in steps if not step.is_held), default=None)
    held = max((s.rate_rps for s in steps if s.is_held and (broken is None or s.rate_rps < broken)), default=None)
    return None if broken is None or held is None else (held, broken)
