"""Factored rows: a worker expands them to the plain rows, for every cohort."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.factored_rows import NAME_PARAMETER
from mesh.model_file import Category, ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from mesh.wire import inference_pb2 as oip
from model_worker.factored_request import decode_factored
from supervisor import rows as rows_of_cohorts
from supervisor.encoding import FactoredMatrix, PlainMatrix, RowMatrix
from supervisor.rows import CohortRows, Passenger, RowPlan, Value, lay_out
from tests.supervisor.replica import pairs_of

NAN = math.nan
COLUMNS = Columns(("level", "spend"), ("country",))
OFFERS = OffersTable(
    ("starter", "gold", "silver"),
    {"starter": 0, "gold": 1, "silver": 2},
    (1.0, 9.0, NAN),
    {"price": (1.0, 9.0, NAN), "spend": (50.0, NAN, 2.0)},
    {"art": ("sun", None, "moon")},
)
ALL = range(3)
CONTEXT: Mapping[str, ContextKind] = {"level": "number", "platform": "text"}
CATEGORIES: Mapping[str, Sequence[Category]] = {"country": ["DE", "FR"], "platform": ["ios"], "art": ["moon", "sun"]}


def plan_of(*names: str, context: Mapping[str, ContextKind] = CONTEXT, offers: OffersTable | None = OFFERS) -> RowPlan:
    categories = {name: tuple(values) for name, values in CATEGORIES.items() if name in names}
    return lay_out(ModelHeader(names, categories, "binary", 1, 1), Sources(COLUMNS, context, offers))


def player(level: float, spend: float, country: str | None = None) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", level, spend), (country,), 0.0)


def cohort(*offers: Sequence[int], context: Mapping[str, Value] | None = None) -> CohortRows:
    """One request for each of `offers`, by players of level 1, 2, ..."""
    players = [player(number, 0.5) for number in range(1, len(offers) + 1)]
    return CohortRows(COLUMNS, players, [Passenger(context or {}, some) for some in offers])


def received(matrix: RowMatrix, start: int, stop: int) -> tuple[oip.ModelInferRequest, list[list[float]]]:
    """The message of rows `start` to `stop`, with its candidates, and the rows that a worker expands it to."""
    part = matrix.factored(start, stop)
    assert part is not None
    request = oip.ModelInferRequest.FromString(part.candidates.encoded + part.encoded)
    factored = decode_factored(request, matrix.rows.shape[1])
    assert factored.included is not None
    assert factored.pairs(factored.included.count, 10_000) == stop - start
    rows: list[list[float]] = pairs_of(factored, factored.included).tolist()
    return request, rows


def names(request: oip.ModelInferRequest) -> list[str]:
    return [tensor.name for tensor in request.inputs]


SCHEMAS = [
    ("spend", "level", "price", "country", "platform", "art"),
    ("art", "country", "price"),
    ("level", "platform"),
    ("price",),
]


@given(st.data())
def test_worker_expands_factored_rows_to_the_plain_rows(data: st.DataObject) -> None:
    plan = plan_of(*data.draw(st.sampled_from(SCHEMAS)))
    numbers = st.floats(-5, 5) | st.just(NAN)
    players = st.none() | st.builds(player, numbers, numbers, st.sampled_from(["DE", "FR", "XX", None]))
    known: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(
        {}, optional={"level": st.floats(-5, 5), "platform": st.sampled_from(["ios", "web"])}
    )
    some = st.lists(st.sampled_from(ALL), min_size=1, max_size=3, unique=True).map(tuple)
    offers = data.draw(st.sampled_from([st.just(ALL), some, some | st.just(ALL)]))
    asked = data.draw(st.lists(st.tuples(players, known, offers), min_size=1, max_size=5))
    passengers = [Passenger(context, chosen) for _, context, chosen in asked]
    matrix = CohortRows(COLUMNS, [one for one, _, _ in asked], passengers).matrix(plan)
    if isinstance(matrix, PlainMatrix):
        assert matrix.count == len(asked)
        return
    start = data.draw(st.integers(0, matrix.count - 1))
    stop = data.draw(st.integers(start + 1, matrix.count))
    _, rows = received(matrix, start, stop)
    assert np.array_equal(np.array(rows), matrix.rows[start:stop], equal_nan=True)


def test_requests_for_the_whole_table_have_no_picks() -> None:
    request, rows = received(cohort(ALL, ALL).matrix(plan_of("level", "price")), 0, 6)
    assert names(request) == ["columns", "candidates", "shared"]
    assert repr(rows) == "[[1.0, 1.0], [1.0, 9.0], [1.0, nan], [2.0, 1.0], [2.0, 9.0], [2.0, nan]]"


def test_part_that_ends_inside_a_request_has_picks() -> None:
    request, rows = received(cohort(ALL, ALL).matrix(plan_of("level", "price")), 1, 4)
    assert names(request) == ["columns", "candidates", "shared", "counts", "picks"]
    assert repr(rows) == "[[1.0, 9.0], [1.0, nan], [2.0, 1.0]]"


def test_part_has_only_its_own_requests() -> None:
    request, _ = received(cohort(ALL, ALL, ALL).matrix(plan_of("level", "price")), 3, 6)
    assert list(request.inputs[2].shape) == [1, 2]


def test_model_without_offer_features_gets_one_row_per_request() -> None:
    request, rows = received(cohort(ALL).matrix(plan_of("level")), 0, 3)
    assert [list(tensor.shape) for tensor in request.inputs] == [[0], [3, 0], [1, 1]]
    assert rows == [[1], [1], [1]]


def test_requests_for_one_offer_each_are_plain_rows() -> None:
    assert cohort((2,), (0,)).matrix(plan_of("level", "price")).factored(0, 2) is None


def test_context_that_may_override_an_offer_column_needs_plain_rows() -> None:
    plan = plan_of("level", "price", context={"price": "number"})
    matrix = cohort(ALL, context={"price": 4.0}).matrix(plan)
    assert matrix.factored(0, 3) is None
    assert matrix.rows.tolist() == [[1, 4], [1, 4], [1, 4]]


def test_context_may_override_an_offer_column_that_the_model_does_not_use() -> None:
    assert isinstance(cohort(ALL).matrix(plan_of("level", context={"price": "number"})), FactoredMatrix)


def test_game_without_offers_has_plain_rows() -> None:
    assert cohort((), ()).matrix(plan_of("level", offers=None)).factored(0, 2) is None


def test_candidates_too_large_for_a_message_are_plain_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_of_cohorts, "MAX_CANDIDATE_BYTES", 23)
    assert cohort(ALL).matrix(plan_of("level", "price")).factored(0, 3) is None


def test_name_depends_on_the_candidates() -> None:
    def name(*features: str, offers: OffersTable = OFFERS) -> str:
        request, _ = received(cohort(ALL).matrix(plan_of(*features, offers=offers)), 0, 3)
        return request.parameters[NAME_PARAMETER].string_param

    cheaper = OffersTable(OFFERS.ids, OFFERS.positions, None, {"price": (1.0, 8.0, NAN)}, {})
    assert name("level", "price") == name("country", "price")
    assert (
        len({name("level", "price"), name("price", "level"), name("level"), name("level", "price", offers=cheaper)})
        == 4
    )


def test_part_is_encoded_once() -> None:
    matrix = cohort(ALL, ALL).matrix(plan_of("level", "price"))
    assert matrix.factored(0, 3) is matrix.factored(0, 3)


@pytest.mark.parametrize(("start", "stop", "cut"), [(0, 3, 3), (0, 5, 4), (3, 5, 4), (0, 2, 2), (4, 5, 5), (1, 4, 4)])
def test_message_ends_between_two_requests_where_possible(start: int, stop: int, cut: int) -> None:
    matrix = cohort(ALL, (1,), ALL).matrix(plan_of("level", "price"))
    assert matrix.cut(start, stop) == cut


def test_plain_rows_can_be_cut_anywhere() -> None:
    assert PlainMatrix(np.zeros((4, 1))).cut(1, 3) == 3


def test_size_does_not_grow_with_the_offers() -> None:
    def size(count: int) -> int:
        ids = tuple(map(str, range(count)))
        table = OffersTable(ids, {}, None, {"price": tuple(map(float, range(count)))}, {})
        part = cohort(range(count), range(count)).matrix(plan_of("level", "price", offers=table)).factored(0, 2 * count)
        assert part is not None
        return len(part.encoded)

    assert size(10) == size(1000)
