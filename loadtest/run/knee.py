"""The knee: the highest rate at which the mesh keeps its objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CLOSE_ENOUGH = 1.05
MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One tried rate: `is_held` if the mesh kept its objective, `is_limit` if the generator could not send the rate."""

    rate_rps: float
    p99_ms: float
    full: float
    is_held: bool
    is_limit: bool = False


def find_knee(first_rps: float, measure: Callable[[float], Step]) -> list[Step]:
    """Doubles the rate until the objective is missed, then halves the gap until it is 5 %; returns every step in order.

    Halves the rate instead if the first rate misses the objective.
    """
    steps = [measure(first_rps)]
    while steps[-1].is_held == steps[0].is_held and len(steps) <= MOST_DOUBLINGS:
        factor = 2.0 if steps[0].is_held else 0.5
        steps.append(measure(steps[-1].rate_rps * factor))
    while (gap := _gap(steps)) is not None:
        held, missed = gap
        if missed / held <= CLOSE_ENOUGH:
            break
        steps.append(measure((held * missed) ** 0.5))
    return steps


def knee_of(steps: list[Step]) -> float | None:
    """The highest held rate below the lowest missed rate; None if no rate was held."""
    gap = _gap(steps)
    held = [step.rate_rps for step in steps if step.is_held and (gap is None or step.rate_rps < gap[1])]
    return max(held, default=None)


def generator_is_limit(steps: list[Step]) -> bool:
    """Whether the generator, not the mesh, limits the knee."""
    missed = [step for step in steps if not step.is_held]
    return bool(missed) and min(missed, key=lambda step: step.rate_rps).is_limit


def _gap(steps: list[Step]) -> tuple[float, float] | None:
    missed = min((step.rate_rps for step in steps if not step.is_held), default=None)
    held = max((s.rate_rps for s in steps if s.is_held and (missed is None or s.rate_rps < missed)), default=None)
    return None if missed is None or held is None else (held, missed)
