"""Gaps: inputs of the models without a value, and values that no model of the version knows.

LightGBM scores both as missing, so an answer alone does not show that the store, the context or the offers have other
values than the training had.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.catalog.unseen import known_values, unseen_offer_values
from mesh.players.features import Columns, PlayerFeatures
from supervisor.rows import CohortRows, Passenger, RowPlan, is_whole_table

MAX_NAMES = 8  # of each kind in an answer; the counters have all
MISSING, UNSEEN = "missing", "unseen"
Counts: TypeAlias = "Counter[tuple[str, str]]"
_MAX_REMEMBERED = 10_000


class Gaps(NamedTuple):
    """The features of one request that had no value, and those with a value that no model of the version knows."""

    missing: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def plus(self, other: Gaps) -> Gaps:
        """Returns the gaps of both."""
        return Gaps(self.missing + other.missing, self.unseen + other.unseen)


COMPLETE = Gaps()


class VersionInputs:
    """Finds and counts the gaps of one version's requests. `sources` are those of the game."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._check: InputCheck | None = None
        self._earlier: Counts = Counter()

    def gaps(self, plans: tuple[RowPlan, ...], rows: CohortRows) -> list[Gaps]:
        """Returns the gaps of each request in `rows`; `plans` are those of the models that are known."""
        check = self._check
        if check is None or check.plans != plans or check.columns != rows.columns:
            self._earlier = self.counts()
            check = self._check = InputCheck(plans, rows.columns, self._sources)
        return check.gaps(rows)

    def counts(self) -> Counts:
        """Returns the number of gaps by feature and kind (`missing`, `unseen`). Another thread may call it."""
        counts = Counter(self._earlier)  # not `+`, which drops zeros
        counts.update({} if self._check is None else self._check.counts())
        return counts


class InputCheck:
    """The check of the inputs for one state of the models and the store.

    It costs a look-up or two per request and a few calls of numpy per cohort, as long as a request has no gaps.
    """

    def __init__(self, plans: tuple[RowPlan, ...], columns: Columns, sources: Sources) -> None:
        self.plans = plans
        self.columns = columns
        known = known_values([plan.header for plan in plans])
        used = {name for plan in plans for name in plan.header.feature_names}
        offered = used & {*sources.offers.numbers, *sources.offers.texts} if sources.offers else set[str]()
        stored = used - offered
        self._numbers = [(name, at) for at, name in enumerate(columns.numbers) if name in stored - known.keys()]
        self._coded = [
            (name, at, known[name]) for at, name in enumerate(columns.numbers) if name in stored & known.keys()
        ]
        self._texts = [
            (name, at, known[name]) for at, name in enumerate(columns.texts) if name in stored & known.keys()
        ]
        in_context = used & sources.context.keys()
        self._overridden = in_context & {*columns.numbers, *columns.texts} & stored
        self._context_size = len(sources.context)
        self._only_context = in_context - self._overridden - offered
        self._coded_context = [(name, known[name]) for name in sorted(in_context & known.keys())]
        self._offers = list(_unseen_offers(sources.offers, offered - in_context, known))
        self._number_columns = np.array([at for _, at in self._numbers], np.intp)
        self._number_counts = np.zeros(len(self._numbers), np.int64)
        self._counts: Counts = Counter(self._kinds())  # with every key: the size of the mapping never changes
        self._of_texts: dict[tuple[str | None, ...], Gaps] = {}
        self._of_numbers: dict[bytes, Gaps] = {}

    def gaps(self, rows: CohortRows) -> list[Gaps]:
        """Returns the gaps of each request, and counts them. Of an unknown player, no stored feature is a gap."""
        found = [
            self._request_gaps(player, passenger)
            for player, passenger in zip(rows.players, rows.passengers, strict=True)
        ]
        for gaps in found:
            if gaps is not COMPLETE:
                self._count(gaps)
        for place, gaps in self._number_gaps(rows):
            found[place] = gaps if found[place] is COMPLETE else gaps.plus(found[place])
        return found

    def counts(self) -> Counts:
        """Returns the number of gaps by feature and kind."""
        counts = Counter(self._counts)
        numbers = zip(self._numbers, self._number_counts.tolist(), strict=True)
        counts.update({(name, MISSING): count for (name, _), count in numbers})
        return counts

    def _kinds(self) -> dict[tuple[str, str], int]:
        stored = [name for name, _, _ in (*self._texts, *self._coded)]
        others = [*(name for name, _ in self._coded_context), *(name for name, _ in self._offers)]
        return {
            **{(name, MISSING): 0 for name in (*stored, *sorted(self._only_context))},
            **{(name, UNSEEN): 0 for name in (*stored, *others)},
        }

    def _count(self, gaps: Gaps) -> None:
        for name in gaps.missing:
            self._counts[name, MISSING] += 1
        for name in gaps.unseen:
            self._counts[name, UNSEEN] += 1

    def _request_gaps(self, player: PlayerFeatures | None, passenger: Passenger) -> Gaps:
        """Returns all gaps of one request, except missing numbers of the store."""
        context, gaps = passenger.context, COMPLETE
        if player is not None:
            known = self._of_texts.get(player.texts)
            gaps = self._text_gaps(player.texts) if known is None else known
            if self._coded:
                gaps = _sum(gaps, self._coded_gaps(player))
            if gaps is not COMPLETE and not self._overridden.isdisjoint(context):
                gaps = _without(gaps, context)
        # The usual request has all context: comparing the sizes costs less than comparing the names.
        if len(context) < self._context_size and not self._only_context <= context.keys():
            gaps = _sum(gaps, Gaps(missing=tuple(sorted(self._only_context - context.keys()))))
        for name, values in self._coded_context:
            if name in context and context[name] not in values:
                gaps = _sum(gaps, Gaps(unseen=(name,)))
        for name, offers in self._offers:
            if is_whole_table(passenger.offers) or not offers.isdisjoint(passenger.offers):
                gaps = _sum(gaps, Gaps(unseen=(name,)))
        return gaps

    def _text_gaps(self, texts: tuple[str | None, ...]) -> Gaps:
        gaps = _gaps((name, texts[at], values) for name, at, values in self._texts)
        if len(self._of_texts) >= _MAX_REMEMBERED:
            self._of_texts.clear()
        self._of_texts[texts] = gaps
        return gaps

    def _coded_gaps(self, player: PlayerFeatures) -> Gaps:
        numbers = np.frombuffer(player.numbers, "<f8")
        return _gaps((name, _or_none(float(numbers[at])), values) for name, at, values in self._coded)

    def _number_gaps(self, rows: CohortRows) -> Iterator[tuple[int, Gaps]]:
        """Yields the requests whose player lacks numbers, and counts those."""
        if not self._numbers:
            return
        missing = np.isnan(rows.numbers[:, self._number_columns])
        if not missing.any():
            return
        missing[[player is None for player in rows.players]] = False
        for name in self._overridden:
            for column in [column for column, (number, _) in enumerate(self._numbers) if number == name]:
                missing[[name in passenger.context for passenger in rows.passengers], column] = False
        self._number_counts += missing.sum(axis=0)
        for place in np.flatnonzero(missing.any(axis=1)).tolist():
            yield place, self._gaps_of(missing[place])

    def _gaps_of(self, missing: NDArray[np.bool_]) -> Gaps:
        pattern = missing.tobytes()
        gaps = self._of_numbers.get(pattern)
        if gaps is None:
            if len(self._of_numbers) >= _MAX_REMEMBERED:
                self._of_numbers.clear()
            gaps = Gaps(missing=tuple(self._numbers[at][0] for at in np.flatnonzero(missing)))
            self._of_numbers[pattern] = gaps
        return gaps


def _gaps(cells: Iterable[tuple[str, object, AbstractSet[object]]]) -> Gaps:
    missing, unseen = [], []
    for name, value, known in cells:
        if value is None:
            missing.append(name)
        elif value not in known:
            unseen.append(name)
    return Gaps(tuple(missing), tuple(unseen)) if missing or unseen else COMPLETE


def _sum(first: Gaps, second: Gaps) -> Gaps:
    return second if first is COMPLETE else first if second is COMPLETE else first.plus(second)


def _without(gaps: Gaps, context: Mapping[str, object]) -> Gaps:
    """Leaves out the features that the context overrides."""
    missing, unseen = (tuple(name for name in names if name not in context) for names in gaps)
    return Gaps(missing, unseen) if missing or unseen else COMPLETE


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number


def _unseen_offers(
    offers: OffersTable | None, names: AbstractSet[str], known: Mapping[str, AbstractSet[object]]
) -> Iterator[tuple[str, frozenset[int]]]:
    """Yields the offer features with unseen values, and the positions of those offers."""
    for name in sorted(names & known.keys()) if offers else ():
        unseen = frozenset(position for position, _ in unseen_offer_values(offers, name, known[name]))
        if unseen:
            yield name, unseen
