"""Builds the models' rows: stored features, request context and offer columns, in the order of a model's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.sources import Sources, misfits, resolved
from mesh.category_lists import codes_of
from mesh.errors import Unavailable
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor.encoding import (
    POSITION_DTYPE,
    ROW_DTYPE,
    CandidateList,
    FactoredMatrix,
    PlainMatrix,
    RowMatrix,
    encode_candidates,
)
from supervisor.offer_columns import Codes, category_codes, offer_features, offer_values

Value = float | str
ContextColumns = Mapping[str, tuple[int, Codes | None]]  # by name: (column of the row, codes)
MAX_CANDIDATE_BYTES = 8 * 2**20  # half of the largest message (16 MiB)


@dataclass(frozen=True, slots=True)
class Passenger:
    """The context and offers of one request. It has one row per offer, or one row without offers.

    `offers` are positions in the game's offers table; a range means the whole table.
    """

    context: Mapping[str, Value]
    offers: Sequence[int]

    @property
    def rows(self) -> int:
        """The number of rows of the request."""
        return len(self.offers) or 1


def is_whole_table(offers: Sequence[int]) -> bool:
    """Whether `offers` are all offers of the table, in order: `Game` passes them as a range."""
    return isinstance(offers, range)


class CohortRows:
    """The rows of one cohort: one matrix for each model schema, built on demand."""

    def __init__(
        self, columns: Columns, players: Sequence[PlayerFeatures | None], passengers: Sequence[Passenger]
    ) -> None:
        self._columns = columns
        self._players = players
        self._passengers = passengers
        self._matrices: dict[RowPlan, RowMatrix] = {}
        self._whole: tuple[CohortRows, slice] | None = None  # of a part

    def matrix(self, plan: RowPlan) -> RowMatrix:
        """Returns the rows in the layout of `plan`; builds them once."""
        matrix = self._matrices.get(plan)
        if matrix is None:
            matrix = self._matrices[plan] = self._build(plan)
        return matrix

    def shared(self, plan: RowPlan) -> NDArray[np.float64]:
        """Returns the values that all rows of a request share, as the models got them [requests, width].

        A column of the offers has the value of the context if the context names it, else NaN.
        """
        if self._whole is not None:
            whole, requests = self._whole
            return whole.shared(plan)[requests]
        matrix = self.matrix(plan)
        return matrix.shared if isinstance(matrix, FactoredMatrix) else plan.without_offers(matrix.rows, self)

    @property
    def size_bytes(self) -> int:
        """The memory of the rows that were built; of a part, its share of them."""
        if self._whole is not None:
            whole, _ = self._whole
            return whole.size_bytes * len(self._passengers) // len(whole.passengers)
        return sum([matrix.size_bytes for matrix in self._matrices.values()])

    def part(self, requests: slice) -> CohortRows:
        """Returns the rows of some of the requests."""
        if len(self._passengers) == requests.stop - requests.start:
            return self
        part = CohortRows(self._columns, self._players[requests], self._passengers[requests])
        part.__dict__["numbers"] = self.numbers[requests]  # the value of the cached property
        part._whole = (self, requests)
        return part

    @property
    def columns(self) -> Columns:
        """The columns of the store."""
        return self._columns

    @property
    def players(self) -> Sequence[PlayerFeatures | None]:
        """The player of each request; None for a player without features."""
        return self._players

    @property
    def passengers(self) -> Sequence[Passenger]:
        """The requests, in row order."""
        return self._passengers

    @cached_property
    def bounds(self) -> NDArray[np.intp]:
        """The first row of each request, then the number of rows [requests + 1]."""
        return np.cumsum([0, *(passenger.rows for passenger in self._passengers)], dtype=np.intp)

    @cached_property
    def picks(self) -> NDArray[np.uint32] | None:
        """The position of each row's offer in the offers table [rows]; None if all requests rank the whole table."""
        if all(is_whole_table(passenger.offers) for passenger in self._passengers):
            return None
        offers = chain.from_iterable(passenger.offers for passenger in self._passengers)
        return np.fromiter(offers, POSITION_DTYPE)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The players' numeric features [requests, numbers]."""
        width = len(self._columns.numbers)
        unknown = np.full(width, np.nan, ROW_DTYPE).tobytes()
        packed = b"".join(player.numbers if player else unknown for player in self._players)
        return np.frombuffer(packed, ROW_DTYPE).reshape(len(self._players), width)

    def texts(self, column: int, codes: Codes) -> NDArray[np.float64]:
        """Returns the codes of one text feature of the players [requests]."""
        return category_codes(codes, [player.texts[column] if player else None for player in self._players])

    def _build(self, plan: RowPlan) -> RowMatrix:
        has_one_row_each = self.bounds[-1] == len(self._passengers)  # the factored form would save nothing
        if plan.candidates is None or has_one_row_each:
            return PlainMatrix(plan.full_rows(self))
        return FactoredMatrix(
            plan.shared_rows(self), self.bounds, plan.candidates, self.picks, lambda: plan.full_rows(self)
        )


@dataclass(frozen=True, eq=False)
class RowPlan:
    """The source of each column of a model schema. Context overrides offer columns, which override the store.

    `candidates` is None, and rows are plain, if the context may change an offer column, if the candidates are too large
    for a message, and for a game without offers.
    """

    header: ModelHeader
    width: int
    numbers_to: NDArray[np.intp]
    numbers_from: NDArray[np.intp]
    coded: tuple[tuple[int, int, Codes], ...]  # (column of the row, column of the store's numbers, codes)
    texts: tuple[tuple[int, int, Codes], ...]  # (column of the row, column of the store's texts, codes)
    offers_to: NDArray[np.uint32]  # ascending
    offers: NDArray[np.float64]  # [offers, columns]
    context: ContextColumns
    context_over_offers: ContextColumns
    candidates: CandidateList | None

    def full_rows(self, cohort: CohortRows) -> NDArray[np.float64]:
        """Returns the rows of `cohort` in this layout [rows, width]; NaN is a missing value."""
        shared, bounds = self.shared_rows(cohort), cohort.bounds
        rows = shared if bounds[-1] == len(shared) else np.repeat(shared, np.diff(bounds), axis=0)
        if len(self.offers_to):
            whole = np.arange(len(rows)) % len(self.offers)
            rows[:, self.offers_to] = self.offers[whole if cohort.picks is None else cohort.picks]
        _fill_context(self.context_over_offers, rows, cohort.passengers, bounds)
        return rows

    def without_offers(self, rows: NDArray[np.float64], cohort: CohortRows) -> NDArray[np.float64]:
        """Returns the first row of each request [requests, width] of `full_rows`, without the values of the offers."""
        shared = rows[cohort.bounds[:-1]]
        if len(self.offers_to):
            shared[:, self.offers_to] = np.nan
            _fill_context(self.context_over_offers, shared, cohort.passengers, range(len(shared) + 1))
        return shared

    def shared_rows(self, cohort: CohortRows) -> NDArray[np.float64]:
        """Returns one row per request [requests, width]: the values that its rows share. Ignore its offer columns."""
        requests = len(cohort.passengers)
        rows = np.full((requests, self.width), np.nan, ROW_DTYPE)
        if len(self.numbers_to):
            rows[:, self.numbers_to] = cohort.numbers[:, self.numbers_from]
        for to, column, codes in self.coded:
            rows[:, to] = category_codes(codes, cohort.numbers[:, column].tolist())
        for to, column, codes in self.texts:
            rows[:, to] = cohort.texts(column, codes)
        _fill_context(self.context, rows, cohort.passengers, range(requests + 1))
        return rows


def _fill_context(
    context: ContextColumns,
    rows: NDArray[np.float64],
    passengers: Sequence[Passenger],
    bounds: Sequence[int] | NDArray[np.intp],
) -> None:
    if not context:
        return
    for place, passenger in enumerate(passengers):
        for name, value in passenger.context.items():
            if name in context:
                to, codes = context[name]
                known = value if codes is None else codes.get(value, np.nan)
                rows[bounds[place] : bounds[place + 1], to] = known


class RowPlanner:
    """Makes the row plans of model schemas. Models with the same schema share one plan, and so one matrix.

    A lookup hashes all names of the schema: callers keep the plan.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        # By weak references: a planner lives as long as the inputs of its game, longer than most models.
        self._plans: WeakValueDictionary[tuple[object, ...], RowPlan] = WeakValueDictionary()

    def plan(self, header: ModelHeader, columns: Columns) -> RowPlan:
        """Returns the plan of a model. Raises Unavailable, naming the features, if features have no source."""
        schema = (columns, header.feature_names, tuple(sorted(header.categories.items())), header.open_lists)
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = lay_out(header, Sources(columns, self._sources.context, self._sources.offers))
        return plan


def lay_out(header: ModelHeader, sources: Sources) -> RowPlan:
    """Returns the plan of a schema, with a source for every feature. Raises Unavailable, naming those without one."""
    wrong = misfits(header, sources)
    if wrong:
        raise Unavailable("; ".join(problem for problem, _ in wrong))
    header = resolved(header, sources)
    columns, offers = sources.columns or Columns((), ()), sources.offers  # a planner always knows the columns
    row_columns = {name: position for position, name in enumerate(header.feature_names)}
    codes = {name: codes_of(categories) for name, categories in header.categories.items()}
    filled = offer_features(offers, row_columns)
    stored = row_columns.keys() - set(filled)
    numbers = _plain_numbers(columns.numbers, row_columns, stored - codes.keys())
    context = {name: (row_columns[name], codes.get(name)) for name in sources.context if name in row_columns}
    over_offers = {name: context[name] for name in filled if name in context}
    offers_to = np.array([row_columns[name] for name in filled], POSITION_DTYPE)
    values = offer_values(offers, filled, codes, header.categories)
    return RowPlan(
        header=header,
        width=len(header.feature_names),
        numbers_to=np.array([row_column for row_column, _ in numbers], np.intp),
        numbers_from=np.array([store_column for _, store_column in numbers], np.intp),
        coded=_coded(columns.numbers, row_columns, stored & codes.keys(), codes),
        texts=_coded(columns.texts, row_columns, stored, codes),
        offers_to=offers_to,
        offers=values,
        context=context,
        context_over_offers=over_offers,
        candidates=None if offers is None or over_offers else _candidates(offers_to, values),
    )


def _plain_numbers(
    store_columns: Sequence[str], row_columns: Mapping[str, int], wanted: Set[str]
) -> list[tuple[int, int]]:
    """Returns (column of the row, column of the store's numbers) for the `wanted` features without categories."""
    return [(row_columns[name], position) for position, name in enumerate(store_columns) if name in wanted]


def _coded(
    store_columns: Sequence[str], row_columns: Mapping[str, int], wanted: Set[str], codes: Mapping[str, Codes]
) -> tuple[tuple[int, int, Codes], ...]:
    """Returns (column of the row, column of the store, codes) for the `wanted` features with categories."""
    return tuple(
        (row_columns[name], position, codes[name]) for position, name in enumerate(store_columns) if name in wanted
    )


def _candidates(columns: NDArray[np.uint32], values: NDArray[np.float64]) -> CandidateList | None:
    return encode_candidates(columns, values) if values.nbytes <= MAX_CANDIDATE_BYTES else None
