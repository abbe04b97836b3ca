"""Samples of answered requests: one candidate of each, with the votes on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.players.features import Columns, PlayerFeatures
from supervisor.party import Seat, Settled

RATE = 16.0  # samples a second at most, of one version: a minute gives enough for the bounds
AIM = 12.0  # samples a second under load: chance then seldom gives more than `RATE`, of which the last would be lost
FLUSH_S = 1.0
MAX_WAITING = int(RATE * FLUSH_S)


class Sample(NamedTuple):
    """One candidate of an answered request. `offer` is its position in the offers table, -1 without offers.

    `votes` [models] has NaN for a missing vote.
    """

    columns: Columns
    player: PlayerFeatures
    context: Mapping[str, float | str]
    offer: int
    votes: NDArray[np.float64]


class Sampler:
    """Takes requests at random, each with the same chance, and at most `RATE` a second.

    A request costs a part of one subtraction for its party, unless it is taken. The chance follows the load: it is set
    from the number of requests since the last `drain`. If the load grows within that time, requests beyond the bound
    are not taken.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._chance = 1.0
        self._skip = 0  # requests until the next one is taken
        self._seen = 0
        self._waiting: list[Sample] = []

    def offer(self, settled: Settled) -> bool:
        """Takes some of the requests of a party; returns whether it took any."""
        requests = len(settled.seats)
        self._seen += requests
        self._skip -= requests
        if self._skip >= 0:
            return False
        before = len(self._waiting)
        place = self._skip + requests
        while place < requests:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.extend(self._sample(settled, settled.seats[place]))
            place += 1 + self._gap()
        self._skip = place - requests
        return len(self._waiting) > before

    def drain(self, elapsed_s: float) -> list[Sample]:
        """Returns the samples of the last `elapsed_s`, and sets the chance of the next requests."""
        taken, self._waiting = self._waiting, []
        self._chance = min(1.0, AIM * max(elapsed_s, FLUSH_S) / max(1, self._seen))
        self._seen = 0
        self._skip = self._gap()
        return taken

    def _gap(self) -> int:
        """The requests between two that are taken, a geometric random number."""
        if self._chance >= 1.0:
            return 0
        return int(math.log(1.0 - self._random.random()) / math.log1p(-self._chance))

    def _sample(self, settled: Settled, seat: Seat) -> Iterator[Sample]:
        """Yields the sample of a request.

        There is none for a test with a pinned version, and for a player without features, whom other metrics show.
        """
        ticket, player = seat.ticket, seat.player.features
        if player is None or ticket.is_pinned:
            return
        passenger = ticket.passenger
        row = self._random.randrange(passenger.rows) if ticket.scored_row is None else ticket.scored_row
        offer = passenger.offers[row] if passenger.offers else -1
        votes = settled.ballot.votes[:, seat.span.start + row].copy()
        yield Sample(settled.rows.columns, player, passenger.context, offer, votes)
