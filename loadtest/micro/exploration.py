"""`python -m loadtest.micro.exploration`: the time to rank the offers of a request, with each kind of `explore`."""

from __future__ import annotations

import asyncio
from functools import partial

import numpy as np

from loadtest.micro.timing import best_us
from mesh.catalog.offers_table import OffersTable
from mesh.exploration import Explore
from supervisor.exploration import Exploration
from supervisor.ranking import Ranking
from supervisor.rows import Passenger
from supervisor.ticket import Ticket

MODELS, OFFERS = 15, (4, 100)
KINDS = ("epsilon", "softmax", "thompson_votes")


def main() -> None:
    """Prints microseconds for each request, the best of seven runs."""
    asyncio.run(_measure())


async def _measure() -> None:
    for offers in OFFERS:
        random = np.random.default_rng(1)
        ids = tuple(f"offer-{place}" for place in range(offers))
        prices = tuple((random.random(offers) * 10).tolist())
        ranking = Ranking(OffersTable(ids, {offer: place for place, offer in enumerate(ids)}, prices, {}, {}), True)
        votes = random.random((MODELS, offers))
        _compare(ranking, Ticket("p1", Passenger({}, range(offers)), 1, None, 0.0, 1.0), votes)


def _compare(ranking: Ranking, ticket: Ticket, votes: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    scores = votes.mean(axis=0)
    found = [f"off {best_us(lambda: ranking.best(ticket.passenger.offers, scores, 1)):.1f}"]
    for kind in KINDS:
        exploring = Exploration(Explore.model_validate({"kind": kind, "share": 2}), ranking, "g/", (1.0,) * MODELS)
        found.append(f"{kind} {best_us(partial(exploring.rank, ticket, scores, votes)):.1f}")
    print(f"{len(scores)} offers, {MODELS} models, us per request: {', '.join(found)}")


if __name__ == "__main__":
    main()
