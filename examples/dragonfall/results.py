"""Evaluates the answers: the revenue of the offers and the latencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from examples.dragonfall.backend import Answer
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.offers import FALLBACK, Column, Offers
from examples.dragonfall.simulation import Encounters, Players
from examples.dragonfall.truth import chance, revenue_of_every_offer, true_revenue


@dataclass(frozen=True, slots=True)
class Revenue:
    """The true average revenue of `logins` log-ins in dollars, for each way to choose the offer."""

    logins: int
    personalised: float
    fallback: float
    best_for_all: float
    best_for_all_id: str
    all_knowing: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the latency, measured by the caller with `callers` concurrent requests."""

    callers: int
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Results:
    """The results of the demo; `sample` contains some of the answers.

    The mesh has logged `decisions` answers and `outcomes` reported outcomes. `explained` is the decision of an offer
    that a player bought.
    """

    sample: tuple[Answer, ...]
    sources: dict[str, int]
    revenue: Revenue
    latencies: tuple[Latency, ...]
    decisions: int
    outcomes: int
    explained: str


def purchases(
    answers: Sequence[Answer], players: Players, offers: Offers, encounters: Encounters, rng: np.random.Generator
) -> list[bool]:
    """Returns which of the shown offers the players buy: a draw with the true probability of each."""
    chances = chance(players, offers, replace(encounters, offer=_shown(answers, offers)))
    return [bool(one) for one in rng.random(len(answers)) < chances]


def earned(answers: Sequence[Answer], players: Players, offers: Offers, encounters: Encounters) -> Revenue:
    """Returns the true revenue of the answers to `encounters` (in the same order), according to the simulation."""
    chosen = _shown(answers, offers)
    of_each = revenue_of_every_offer(players, offers, encounters)
    on_average = of_each.mean(axis=0)
    return Revenue(
        logins=len(answers),
        personalised=float(true_revenue(players, offers, replace(encounters, offer=chosen)).mean()),
        fallback=float(on_average[offers.index(FALLBACK)]),
        best_for_all=float(on_average.max()),
        best_for_all_id=offers.ids[int(on_average.argmax())],
        all_knowing=float(of_each.max(axis=1).mean()),
    )


def latency(answers: Sequence[Answer], callers: int) -> Latency:
    """Returns the percentiles of the latencies."""
    p50, p95, p99 = np.percentile([answer.latency_ms for answer in answers], [50, 95, 99]).tolist()
    return Latency(callers, len(answers), p50, p95, p99)


def count_sources(answers: Sequence[Answer]) -> dict[str, int]:
    """Returns the number of answers by source; the fallbacks of the holdout are counted as HOLDOUT."""
    return dict(Counter("HOLDOUT" if answer.is_held_out else answer.source for answer in answers))


def _shown(answers: Sequence[Answer], offers: Offers) -> Column:
    return np.array([offers.index(answer.offer_id) for answer in answers])


def check(results: Results) -> None:
    """Raises ExampleFailed if no answer is from the whole ensemble, or if personalised offers do not earn more."""
    if not results.sources.get("ENSEMBLE"):
        reasons = {answer.reason for answer in results.sample}
        raise ExampleFailed(f"no answer came from the whole ensemble: {'; '.join(sorted(reasons))}")
    if results.revenue.personalised <= results.revenue.fallback:
        raise ExampleFailed("personalised offers earned no more than the fallback offer")
