"""Rows: a player's features, what is known only now, and an offer's columns, in the order of a model's own features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Unavailable
from mesh.model_file import ModelHeader
from mesh.offers_table import OffersTable
from mesh.player_features import Columns, PlayerFeatures
from mesh.sources import Sources, misfits
from mesh.wire import inference_pb2 as oip

Value = float | str
Codes = Mapping[object, float]
ROW_DTYPE = np.dtype("<f8")


@dataclass(frozen=True, slots=True)
class Passenger:
    """What one request brings to its rows: one row for each of its offers, or a single one without offers.

    `offers` are positions in the game's offers table.
    """

    context: Mapping[str, Value]
    offers: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many rows the request needs."""
        return len(self.offers) or 1


@dataclass(frozen=True)
class RowMatrix:
    """The rows of a cohort for the models of one schema, as they go over the wire."""

    rows: NDArray[np.float64]  # [rows, features], C order, little-endian
    _encoded: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def tensor(self, start: int, stop: int) -> bytes:
        """The part of a ModelInferRequest that carries rows `start` to `stop`; encoded once for all models."""
        encoded = self._encoded.get((start, stop))
        if encoded is None:
            encoded = self._encoded[start, stop] = self._encode(start, stop)
        return encoded

    def _encode(self, start: int, stop: int) -> bytes:
        tensor = oip.ModelInferRequest.InferInputTensor(
            name="features", datatype="FP64", shape=[stop - start, self.rows.shape[1]]
        )
        raw = self.rows[start:stop].tobytes()
        return oip.ModelInferRequest(inputs=[tensor], raw_input_contents=[raw]).SerializeToString()


class CohortRows:
    """Builds the row matrices of one cohort, one for each schema that is asked for."""

    def __init__(
        self, columns: Columns, players: Sequence[PlayerFeatures | None], passengers: Sequence[Passenger]
    ) -> None:
        self._columns = columns
        self._players = players
        self._passengers = passengers
        self._matrices: dict[RowPlan, RowMatrix] = {}

    def matrix(self, plan: RowPlan) -> RowMatrix:
        """The rows as `plan` lays them out; built once."""
        matrix = self._matrices.get(plan)
        if matrix is None:
            matrix = self._matrices[plan] = RowMatrix(plan.fill(self))
        return matrix

    @property
    def passengers(self) -> Sequence[Passenger]:
        """The requests, in row order."""
        return self._passengers

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """Rows of each request [requests]."""
        return np.array([passenger.rows for passenger in self._passengers], np.intp)

    @cached_property
    def offers(self) -> NDArray[np.intp]:
        """The offer of each row [rows], a position in the offers table."""
        return np.array([offer for passenger in self._passengers for offer in passenger.offers], np.intp)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The players' numbers, a row for each row of the cohort [rows, numbers]."""
        width = len(self._columns.numbers)
        unknown = np.full(width, np.nan, ROW_DTYPE).tobytes()
        packed = b"".join(player.numbers if player else unknown for player in self._players)
        return self.spread(np.frombuffer(packed, ROW_DTYPE).reshape(len(self._players), width))

    def texts(self, column: int, codes: Codes) -> NDArray[np.float64]:
        """The codes of the players' texts in one column, a row for each row of the cohort [rows]."""
        return self.spread(_encode(codes, [player.texts[column] if player else None for player in self._players]))

    def spread(self, per_request: NDArray[np.float64]) -> NDArray[np.float64]:
        """Repeats what is given once a request for each of its rows."""
        return per_request if len(self.offers) <= len(per_request) else np.repeat(per_request, self.counts, axis=0)


@dataclass(frozen=True, eq=False)
class RowPlan:
    """Where each column of a schema comes from. What is known now wins over the offer, the offer over the store."""

    width: int
    numbers_to: NDArray[np.intp]
    numbers_from: NDArray[np.intp]
    coded: tuple[tuple[int, int, Codes], ...]  # (column of the row, of the store's numbers, their codes)
    texts: tuple[tuple[int, int, Codes], ...]  # (column of the row, of the store's texts, their codes)
    offers_to: NDArray[np.intp]
    offers: NDArray[np.float64]  # [offers, columns]
    context: Mapping[str, tuple[int, Codes | None]]  # (column of the row, codes)

    def fill(self, cohort: CohortRows) -> NDArray[np.float64]:
        """The cohort's rows in this layout [rows, width]; NaN where nothing is known."""
        rows = np.full((int(cohort.counts.sum()), self.width), np.nan, ROW_DTYPE)
        if len(self.numbers_to):
            rows[:, self.numbers_to] = cohort.numbers[:, self.numbers_from]
        for to, column, codes in self.coded:
            rows[:, to] = _encode(codes, cohort.numbers[:, column].tolist())
        for to, column, codes in self.texts:
            rows[:, to] = cohort.texts(column, codes)
        if len(self.offers_to):
            rows[:, self.offers_to] = self.offers[cohort.offers]
        if self.context:
            self._fill_context(rows, cohort.passengers)
        return rows

    def _fill_context(self, rows: NDArray[np.float64], passengers: Sequence[Passenger]) -> None:
        start = 0
        for passenger in passengers:
            stop = start + passenger.rows
            for name, value in passenger.context.items():
                place = self.context.get(name)
                if place is not None:
                    to, codes = place
                    rows[start:stop, to] = value if codes is None else codes.get(value, np.nan)
            start = stop


class RowPlanner:
    """Lays out rows for model schemas; models with the same schema share one plan, and so one matrix.

    Looking a plan up costs as much as hashing its names: keep what you got.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._plans: dict[tuple[object, ...], RowPlan] = {}

    def plan(self, header: ModelHeader, columns: Columns) -> RowPlan:
        """The plan for a model; raises Unavailable, naming them, when a source for some feature is missing."""
        schema = (columns, header.feature_names, tuple(sorted(header.categories.items())))
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = lay_out(header, Sources(columns, self._sources.context, self._sources.offers))
        return plan


def lay_out(header: ModelHeader, sources: Sources) -> RowPlan:
    """Finds a source for every feature of `header`; raises Unavailable, naming them, where there is none."""
    wrong = misfits(header, sources)
    if wrong:
        raise Unavailable("; ".join(problem for problem, _ in wrong))
    columns, offers = sources.columns or Columns((), ()), sources.offers
    place = {name: to for to, name in enumerate(header.feature_names)}
    codes = {name: _codes(categories) for name, categories in header.categories.items()}
    of_offers = [name for name in (*offers.numbers, *offers.texts) if name in place] if offers else []
    stored = place.keys() - set(of_offers)
    numbers = [(place[name], source) for source, name in enumerate(columns.numbers) if name in stored - codes.keys()]
    return RowPlan(
        width=len(header.feature_names),
        numbers_to=np.array([to for to, _ in numbers], np.intp),
        numbers_from=np.array([source for _, source in numbers], np.intp),
        coded=_coded(columns.numbers, place, stored & codes.keys(), codes),
        texts=_coded(columns.texts, place, stored, codes),
        offers_to=np.array([place[name] for name in of_offers], np.intp),
        offers=_offer_columns(offers, of_offers, codes),
        context={name: (place[name], codes.get(name)) for name in sources.context if name in place},
    )


def _coded(
    columns: Sequence[str], place: Mapping[str, int], wanted: Set[str], codes: Mapping[str, Codes]
) -> tuple[tuple[int, int, Codes], ...]:
    return tuple((place[name], source, codes[name]) for source, name in enumerate(columns) if name in wanted)


def _encode(codes: Codes, values: Iterable[object]) -> NDArray[np.float64]:
    return np.array([codes.get(value, np.nan) for value in values], np.float64)


def _codes(categories: Sequence[str | int | float | bool]) -> Codes:
    return {category: float(code) for code, category in enumerate(categories)}


def _offer_columns(offers: OffersTable | None, names: Sequence[str], codes: Mapping[str, Codes]) -> NDArray[np.float64]:
    if offers is None or not names:
        return np.empty((0, 0))
    values: Mapping[str, Sequence[object]] = {**offers.numbers, **offers.texts}
    columns = [
        _encode(codes[name], values[name]) if name in codes else np.array(values[name], np.float64) for name in names
    ]
    return np.stack(columns, axis=1)
