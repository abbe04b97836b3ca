"""Rows: the source of each cell, and the encoded message."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable, parse_offers
from mesh.catalog.sources import Sources
from mesh.category_lists import OpenLists
from mesh.errors import Unavailable
from mesh.model_file import Category, ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from mesh.wire import inference_pb2 as oip
from supervisor.encoding import PlainMatrix
from supervisor.rows import CohortRows, Passenger, RowPlanner, Value, lay_out

NAN = math.nan
COLUMNS = Columns(("level", "spend"), ("country",))
OFFERS = OffersTable(
    ("starter", "gold"),
    {"starter": 0, "gold": 1},
    (1.0, 9.0),
    {"price": (1.0, 9.0), "spend": (50.0, NAN)},
    {"art": ("sun", None)},
)
Request = tuple[PlayerFeatures | None, Mapping[str, Value], tuple[int, ...]]
CONTEXT: Mapping[str, ContextKind] = {"level": "number", "platform": "text", "weekend": "boolean"}


def header(*names: str, **categories: Sequence[Category]) -> ModelHeader:
    return ModelHeader(names, {name: tuple(values) for name, values in categories.items()}, "binary", 1, 1)


def player(level: float, spend: float, country: str | None = None) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", level, spend), (country,), 0.0)


def fill(
    model: ModelHeader,
    *requests: Request,
    offers: OffersTable | None = None,
    context: Mapping[str, ContextKind] = CONTEXT,
    columns: Columns = COLUMNS,
) -> list[list[float]]:
    """The rows of `model` for requests of (player, context, offers)."""
    plan = lay_out(model, Sources(columns, context, offers))
    passengers = [Passenger(known, chosen) for _, known, chosen in requests]
    rows = CohortRows(columns, [one for one, _, _ in requests], passengers).matrix(plan).rows
    cells: list[list[float]] = rows.tolist()
    return cells


def same(actual: list[list[float]], expected: list[list[float]]) -> bool:
    return bool(np.array_equal(np.array(actual), np.array(expected), equal_nan=True))


def test_columns_are_in_the_order_of_the_model() -> None:
    assert fill(header("spend", "level"), (player(3, 7), {}, ())) == [[7.0, 3.0]]


def test_context_overrides_the_store() -> None:
    assert fill(header("level"), (player(3, 7), {"level": 4.0}, ())) == [[4.0]]


def test_feature_without_context_comes_from_the_store() -> None:
    assert fill(header("level"), (player(3, 7), {}, ())) == [[3.0]]


def test_offer_column_overrides_the_store() -> None:
    assert same(fill(header("spend"), (player(3, 7), {}, (0, 1)), offers=OFFERS), [[50.0], [NAN]])


def test_context_overrides_an_offer_column() -> None:
    context: Mapping[str, ContextKind] = {"price": "number"}
    rows = fill(
        header("price"),
        (player(3, 7), {"price": 2.0}, (0, 1)),
        (player(3, 7), {}, (1,)),
        offers=OFFERS,
        context=context,
    )
    assert rows == [[2.0], [2.0], [9.0]]


def test_shared_row_has_no_value_of_an_offer_but_the_context_that_overrides_it() -> None:
    context: Mapping[str, ContextKind] = {"price": "number"}
    model, passengers = header("level", "price"), [Passenger({"price": 2.0}, (0, 1)), Passenger({}, (1,))]
    players = [player(3, 7), player(4, 7)]
    for kinds, expected in ((context, [[3.0, 2.0], [4.0, NAN]]), ({}, [[3.0, NAN], [4.0, NAN]])):
        plan = lay_out(model, Sources(COLUMNS, kinds, OFFERS))
        rows = CohortRows(COLUMNS, players, passengers)
        assert isinstance(rows.matrix(plan), PlainMatrix) == bool(kinds)
        assert same(rows.shared(plan).tolist(), expected)
        assert same(rows.part(slice(1, 2)).shared(plan).tolist(), expected[1:])


def test_shared_rows_of_requests_with_one_row_each_leave_the_rows_as_they_are() -> None:
    plan = lay_out(header("level", "price"), Sources(COLUMNS, {}, OFFERS))
    rows = CohortRows(COLUMNS, [player(3, 7), player(4, 7)], [Passenger({}, (0,)), Passenger({}, (1,))])
    assert same(rows.shared(plan).tolist(), [[3.0, NAN], [4.0, NAN]])
    assert rows.matrix(plan).rows.tolist() == [[3.0, 1.0], [4.0, 9.0]]


def test_unknown_player_has_missing_values_in_every_stored_column() -> None:
    model = header("level", "country", "price", country=["DE"])
    assert same(fill(model, (None, {}, (1,)), offers=OFFERS), [[NAN, NAN, 9.0]])


def test_feature_without_context_and_store_is_missing() -> None:
    assert same(fill(header("weekend"), (player(3, 7), {}, ())), [[NAN]])


def test_stored_text_becomes_the_code_of_the_model() -> None:
    model = header("country", country=["FR", "DE"])
    assert fill(model, (player(0, 0, "DE"), {}, ()), (player(0, 0, "FR"), {}, ())) == [[1.0], [0.0]]


def test_text_outside_the_categories_is_missing() -> None:
    model = header("country", country=["FR", "DE"])
    assert same(fill(model, (player(0, 0, "XX"), {}, ()), (player(0, 0, None), {}, ())), [[NAN], [NAN]])


def test_context_text_becomes_a_code() -> None:
    model = header("platform", platform=["ios", "android"])
    requests: list[Request] = [(player(0, 0), {"platform": name}, ()) for name in ("android", "switch")]
    assert same(fill(model, *requests), [[1.0], [NAN]])


def test_offer_text_becomes_a_code() -> None:
    model = header("art", art=["moon", "sun"])
    assert same(fill(model, (player(0, 0), {}, (0, 1)), offers=OFFERS), [[1.0], [NAN]])


def test_stored_number_with_categories_becomes_its_code() -> None:
    model = header("level", level=[10, 20, 30])
    requests: list[Request] = [(player(level, 0), {}, ()) for level in (30.0, 10.0, 11.0, NAN)]
    assert same(fill(model, *requests), [[2.0], [0.0], [NAN], [NAN]])


def test_context_boolean_is_a_number() -> None:
    assert fill(header("weekend"), (player(0, 0), {"weekend": 1.0}, ())) == [[1.0]]


def test_context_boolean_becomes_the_code_of_its_category() -> None:
    model = header("weekend", weekend=[False, True])
    assert fill(model, (player(0, 0), {"weekend": 1.0}, ())) == [[1.0]]


def test_requests_with_one_and_with_several_offers_share_a_matrix() -> None:
    model = header("level", "price", "platform", platform=["ios"])
    rows = fill(
        model,
        (player(1, 0), {"platform": "ios"}, (0, 1)),
        (player(2, 0), {}, (1,)),
        (None, {"level": 5.0}, (1, 0)),
        offers=OFFERS,
    )
    expected: list[list[float]] = [[1, 1, 0], [1, 9, 0], [2, 9, NAN], [5, 9, NAN], [5, 1, NAN]]
    assert same(rows, expected)


def test_context_that_the_model_does_not_use_is_ignored() -> None:
    assert fill(header("spend"), (player(3, 7), {"platform": "ios", "weekend": 1.0}, ())) == [[7.0]]


def test_error_names_every_feature_without_a_source() -> None:
    with pytest.raises(Unavailable, match=r"'ghost'.*'phantom'"):
        lay_out(header("level", "ghost", "phantom"), Sources(COLUMNS, CONTEXT, None))


def test_text_without_categories_is_refused() -> None:
    with pytest.raises(Unavailable, match="'country' is text"):
        lay_out(header("country"), Sources(COLUMNS, CONTEXT, None))


def test_stored_text_with_a_number_as_context_is_refused() -> None:
    with pytest.raises(Unavailable, match="country"):
        lay_out(header("country"), Sources(COLUMNS, {"country": "number"}, None))


def test_offer_text_with_a_number_as_context_is_refused() -> None:
    with pytest.raises(Unavailable, match="art"):
        lay_out(header("art"), Sources(COLUMNS, {"art": "number"}, OFFERS))


def test_text_for_numeric_categories_is_refused() -> None:
    with pytest.raises(Unavailable, match="country"):
        lay_out(header("country", country=[10, 20]), Sources(COLUMNS, CONTEXT, None))


def test_models_with_the_same_schema_share_a_matrix() -> None:
    planner = RowPlanner(Sources(COLUMNS, CONTEXT, None))
    rows = CohortRows(COLUMNS, [player(1, 2)], [Passenger({}, ())])
    one = planner.plan(header("level", "country", country=["DE"]), COLUMNS)
    twin = planner.plan(header("level", "country", country=["DE"]), COLUMNS)
    assert rows.matrix(one) is rows.matrix(twin)


@pytest.mark.parametrize(
    "other", [header("country", "level", country=["DE"]), header("level", "country", country=["FR"]), header("level")]
)
def test_models_with_different_schemas_have_different_matrices(other: ModelHeader) -> None:
    planner = RowPlanner(Sources(COLUMNS, CONTEXT, None))
    rows = CohortRows(COLUMNS, [player(1, 2)], [Passenger({}, ())])
    one = planner.plan(header("level", "country", country=["DE"]), COLUMNS)
    assert rows.matrix(one) is not rows.matrix(planner.plan(other, COLUMNS))


def test_plan_follows_the_columns_of_the_store() -> None:
    planner = RowPlanner(Sources(COLUMNS, {}, None))
    turned = Columns(("spend", "level"), ())
    rows = CohortRows(turned, [PlayerFeatures(struct.pack("<2d", 7, 3), (), 0.0)], [Passenger({}, ())])
    planner.plan(header("level"), COLUMNS)
    assert rows.matrix(planner.plan(header("level"), turned)).rows.tolist() == [[3.0]]


def test_part_of_a_matrix_is_encoded_once() -> None:
    matrix = PlainMatrix(np.zeros((4, 2)))
    assert matrix.plain(0, 4) is matrix.plain(0, 4)


@given(rows=st.integers(1, 6), features=st.integers(1, 4), data=st.data())
def test_head_and_rows_concatenated_are_one_request(rows: int, features: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(start + 1, rows))
    cells = np.arange(rows * features, dtype="<f8").reshape(rows, features)
    head = oip.ModelInferRequest(model_name="whales", id="17")
    head.parameters["timeout"].int64_param = 5
    request = oip.ModelInferRequest.FromString(head.SerializeToString() + PlainMatrix(cells).plain(start, stop))
    (tensor,), (raw,) = request.inputs, request.raw_input_contents
    assert (request.model_name, request.id, request.parameters["timeout"].int64_param) == ("whales", "17", 5)
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("features", "FP64", [stop - start, features])
    assert np.frombuffer(raw, "<f8").reshape(-1, features).tolist() == cells[start:stop].tolist()


@given(st.data())
def test_rows_equal_a_lookup_of_every_cell(data: st.DataObject) -> None:
    """Compares cell by cell: context overrides offer, offer overrides store."""
    model = header("spend", "level", "price", "country", "platform", country=["DE", "FR"], platform=["ios"])
    numbers = st.floats(-5, 5) | st.just(NAN)
    players = st.none() | st.builds(player, numbers, numbers, st.sampled_from(["DE", "FR", "XX", None]))
    known = st.fixed_dictionaries({}, optional={"level": st.floats(-5, 5), "platform": st.sampled_from(["ios", "web"])})
    chosen = st.lists(st.sampled_from([0, 1]), min_size=1, max_size=2, unique=True).map(tuple)
    requests: list[Request] = data.draw(st.lists(st.tuples(players, known, chosen), min_size=1, max_size=5))
    expected: list[list[float]] = [
        [
            OFFERS.numbers["spend"][offer],
            float(context.get("level", struct.unpack("<2d", one.numbers)[0] if one else NAN)),
            OFFERS.numbers["price"][offer],
            {"DE": 0.0, "FR": 1.0}.get((one.texts[0] if one else None) or "", NAN),
            {"ios": 0.0}.get(str(context.get("platform")), NAN),
        ]
        for one, context, offers in requests
        for offer in offers
    ]
    assert same(fill(model, *requests, offers=OFFERS), expected)


def test_offers_of_digits_are_texts_for_a_model_with_texts_as_categories() -> None:
    offers = parse_offers("offer_id,tier\na,1\nb,2\nc,\n", "offers.csv")
    players: list[Request] = [(None, {}, (0, 1, 2))]
    assert same(fill(header("tier", tier=["2", "1"]), *players, offers=offers), [[1.0], [0.0], [NAN]])
    assert same(fill(header("tier", tier=[2, 1]), *players, offers=offers), [[1.0], [0.0], [NAN]])
    assert same(fill(header("tier"), *players, offers=offers), [[1.0], [2.0], [NAN]])


def test_large_whole_categories_come_from_texts() -> None:
    model = header("country", country=[2**53, 2**53 + 1, 12])
    rows = fill(
        model, (player(0, 0, str(2**53 + 1)), {}, ()), (player(0, 0, "12"), {}, ()), (player(0, 0, "13"), {}, ())
    )
    assert same(rows, [[1.0], [2.0], [NAN]])
    with pytest.raises(Unavailable, match=r"'level' is a number, which is exact only below 2\^53"):
        fill(header("level", level=[2**53, 12]), (player(1, 1), {}, ()))


def test_categories_of_several_kinds_are_refused() -> None:
    with pytest.raises(Unavailable, match="'country' has texts and other values among its categories"):
        fill(header("country", country=["de", 1]), (player(1, 1), {}, ()))


def test_open_lists_are_assigned_by_the_kinds_of_the_sources() -> None:
    lists = OpenLists((("de", "us"),), (("level", "country"),))
    assert fill(replace(header("level", "country"), open_lists=lists), (player(1, 1, "us"), {}, ())) == [[1.0, 1.0]]
    numbers = OpenLists(((10, 20),), (("level", "spend"),))
    with pytest.raises(Unavailable, match="fits the columns 'level', 'spend', and the model file does not show"):
        fill(replace(header("level", "spend"), open_lists=numbers), (player(1, 1), {}, ()))
