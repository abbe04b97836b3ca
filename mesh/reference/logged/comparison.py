"""Compares a replay with the log, bit by bit: votes, scores, revenues, returned offers, draws and propensities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mesh.reference.logged.draws import LoggedPolicy
from mesh.reference.logged.requests import LoggedDecisions

Shown = float | str | list[str] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of a decision. `part` is vote, score, revenue, offers, propensity or result (of Score).

    `model` is set for a vote; `offer` for the value of a candidate, if the game has offers.
    """

    decision_id: str
    time: datetime
    part: str
    model: str | None
    offer: str | None
    logged: Shown
    replayed: Shown


class Replayed:
    """A replay of `decisions`: `votes` [candidates, models], and `scores` [candidates] by the rule of the ensemble."""

    def __init__(self, decisions: LoggedDecisions, votes: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        self._decisions = decisions
        self._votes = votes
        self._scores = scores
        self._bounds = decisions.requests.bounds
        self._voted = np.array(
            [[model not in missing for model in decisions.ensemble.names] for missing in decisions.missing], bool
        )

    def differences(self) -> list[Difference]:
        """Returns the first difference of each decision that has one."""
        found: dict[int, Difference] = {}
        for at, difference in self._all():
            found.setdefault(at, difference)
        return list(found.values())

    def _all(self) -> Iterator[tuple[int, Difference]]:
        """Yields the differences with the positions of their decisions: all votes, then all scores, and so on."""
        yield from self._of_votes()
        yield from self._of_candidates("score", self._decisions.scores, self._scores)
        prices = self._decisions.requests.prices
        if prices is not None:
            yield from self._of_candidates("revenue", self._logged_revenues(), self._scores * prices)
        yield from self._of_answers()

    def _of_votes(self) -> Iterator[tuple[int, Difference]]:
        logged, models = self._decisions.votes, self._decisions.ensemble.names
        expected = np.where(np.repeat(self._voted, self._decisions.requests.counts, axis=0), self._votes, np.nan)
        is_wrong = ~_same_bits(logged, expected) & self._decisions.has_vote[:, None]
        for row, model in np.argwhere(is_wrong).tolist():
            yield self._difference(row, "vote", models[model], float(logged[row, model]), float(expected[row, model]))

    def _of_candidates(
        self, part: str, logged: NDArray[np.float64], replayed: NDArray[np.float64]
    ) -> Iterator[tuple[int, Difference]]:
        for row in np.flatnonzero(~_same_bits(logged, replayed)).tolist():
            yield self._difference(row, part, None, float(logged[row]), float(replayed[row]))

    def _of_answers(self) -> Iterator[tuple[int, Difference]]:
        table, bounds = self._decisions.table, self._bounds.tolist()
        policy = LoggedPolicy(self._decisions, self._scores, self._votes)
        names = ("method", "candidates", "offers", "limit", "explored", "score", "propensity")
        answers = zip(*(table[name].to_pylist() for name in names), strict=True)
        for at, (method, candidates, offers, limit, explored, score, propensity) in enumerate(answers):
            if method == "Score":
                place = candidates.index(offers[0]) if candidates and offers else 0
                expected = float(self._scores[bounds[at] + place])
                if score != expected:
                    yield at, self._of(at, "result", None, offers[0] if offers else None, score, expected)
                continue
            order = policy.order(at)
            first = policy.drawn(at) if explored else order[0]
            returned = [candidates[place] for place in (first, *(one for one in order if one != first))][:limit]
            if offers != returned:
                yield at, self._of(at, "offers", None, None, offers, returned)
            chance = policy.propensities(at).get(first)
            if propensity is not None and propensity != chance:
                yield at, self._of(at, "propensity", None, returned[0], propensity, chance)

    def _logged_revenues(self) -> NDArray[np.float64]:
        column = self._decisions.table["revenues"].to_pylist()
        counts = self._decisions.requests.counts.tolist()
        values = [one for row, count in zip(column, counts, strict=True) for one in row or [None] * count]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    def _difference(
        self, row: int, part: str, model: str | None, logged: float, replayed: float
    ) -> tuple[int, Difference]:
        at = int(np.searchsorted(self._bounds, row, "right")) - 1
        candidates = self._decisions.table["candidates"][at].as_py()
        offer = None if candidates is None else candidates[row - int(self._bounds[at])]
        return at, self._of(at, part, model, offer, logged, replayed)

    def _of(
        self, at: int, part: str, model: str | None, offer: str | None, logged: Shown, replayed: Shown
    ) -> Difference:
        row = self._decisions.table.slice(at, 1)
        id_, time = row["decision_id"][0].as_py(), row["time"][0].as_py()
        return Difference(id_, time, part, model, offer, logged, replayed)


def _same_bits(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether two arrays have the same numbers, to the bit; NaN equals NaN."""
    same: NDArray[np.bool_] = np.ascontiguousarray(first).view(np.int64) == np.ascontiguousarray(second).view(np.int64)
    return same | (np.isnan(first) & np.isnan(second))
