"""The knee: the highest rate at which the mesh keeps its objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

CLOSE_ENOUGH = 1.05
MOST_DOUBLINGS = 12
MOST_DISTURBANCES = 3
BUSY_SHARE = 0.2  # of the CPU of the machine: above it, other programs decide the result


@dataclass(frozen=True, slots=True)
class Step:
    """One tried rate: `is_held` if the mesh kept its objective, `is_limit` if the generator could not send the rate.

    `others` is the share of the machine's CPU that other programs used just before the step. `tries` counts how often
    the rate was tried.
    """

    rate_rps: float
    p99_ms: float
    full: float
    is_held: bool
    is_limit: bool = False
    others: float = 0.0
    tries: int = 1

    @property
    def is_starved(self) -> bool:
        """Whether other programs took so much CPU that the step says little about the mesh."""
        return self.others > BUSY_SHARE


def find_knee(first_rps: float, measure: Callable[[float], Step]) -> list[Step]:
    """Doubles the rate until the objective is missed, then halves the gap until it is 5 %; returns the steps in order.

    Halves the rate instead if the first rate misses the objective. A missed rate is tried again, because a short
    disturbance also breaks a step: two of at most three tries decide. The lowest missed rate is tried once more at the
    end: if it holds now, a longer disturbance broke its step, which is dropped, and the search goes on above it.
    """
    steps = [_believed(first_rps, measure)]
    for _ in range(MOST_DISTURBANCES):
        _close_in(steps, measure)
        missed = _lowest_missed(steps)
        if missed is None:
            break
        again = measure(missed.rate_rps)
        if not again.is_held:
            break
        steps = [step for step in steps if step is not missed] + [again]
    return steps


def _close_in(steps: list[Step], measure: Callable[[float], Step]) -> None:
    """Adds steps until the gap between a held and a missed rate is small; gives up after `MOST_DOUBLINGS`."""
    for _ in range(MOST_DOUBLINGS):
        if _gap(steps) is not None:
            break
        rates = [step.rate_rps for step in steps]
        steps.append(_believed(max(rates) * 2.0 if steps[-1].is_held else min(rates) * 0.5, measure))
    while (gap := _gap(steps)) is not None:
        held, missed = gap
        if missed / held <= CLOSE_ENOUGH:
            break
        steps.append(_believed((held * missed) ** 0.5, measure))


def _believed(rate_rps: float, measure: Callable[[float], Step]) -> Step:
    """The step that holds at once, or the last step of the majority of three."""
    first = measure(rate_rps)
    if first.is_held:
        return first
    second = measure(rate_rps)
    if not second.is_held:
        return replace(second, tries=2)
    return replace(measure(rate_rps), tries=3)


def knee_of(steps: list[Step]) -> float | None:
    """The highest held rate below the lowest missed rate; None if no rate was held."""
    gap = _gap(steps)
    held = [step.rate_rps for step in steps if step.is_held and (gap is None or step.rate_rps < gap[1])]
    return max(held, default=None)


def generator_is_limit(steps: list[Step]) -> bool:
    """Whether the generator, not the mesh, limits the knee."""
    missed = _lowest_missed(steps)
    return missed is not None and missed.is_limit


def machine_is_starved(steps: list[Step]) -> bool:
    """Whether other programs took the CPU at the rate that limits the knee."""
    missed = _lowest_missed(steps)
    return missed is not None and missed.is_starved


def _lowest_missed(steps: list[Step]) -> Step | None:
    return min((step for step in steps if not step.is_held), key=lambda step: step.rate_rps, default=None)


def _gap(steps: list[Step]) -> tuple[float, float] | None:
    missed = min((step.rate_rps for step in steps if not step.is_held), default=None)
    held = max((s.rate_rps for s in steps if s.is_held and (missed is None or s.rate_rps < missed)), default=None)
    return None if missed is None or held is None else (held, missed)
