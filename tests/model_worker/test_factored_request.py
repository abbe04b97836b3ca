"""Requests of factored rows: correct ones are decoded, and each fault is reported with its field."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import WrongRequest
from mesh.factored_rows import MAX_CANDIDATES
from model_worker.factored_request import FactoredRequest, decode_factored, is_factored
from model_worker.forest import Candidates, Picks
from tests.model_worker.requests import Factored, raw_request

FEATURES, MAX_PAIRS = 2, 6
Change = Callable[[Factored], object]


def whole() -> Factored:
    """Returns two requests, the first for candidates 2 and 0, the second for 1, and the three candidates."""
    return Factored([1, 2], [3, 4], name="shop").picks([2, 0], [1]).include([1], [7], [8], [9])


def decode(given: Factored) -> tuple[FactoredRequest, int]:
    """Returns the decoded request and its number of pairs, with its own candidates or with 3 remembered ones."""
    factored = decode_factored(given.request, FEATURES)
    return factored, factored.pairs(factored.included.count if factored.included else 3, MAX_PAIRS)


def unsigned(*values: int) -> bytes:
    return array("I", values).tobytes()


def test_complete_message_is_decoded() -> None:
    factored, pairs = decode(whole())
    assert factored == FactoredRequest(
        name="shop",
        shared=struct.pack("<4d", 1, 2, 3, 4),
        requests=2,
        picks=Picks(unsigned(2, 1), unsigned(2, 0, 1)),
        included=Candidates((1,), struct.pack("<3d", 7, 8, 9), 3),
    )
    assert pairs == 3


def test_without_picks_every_request_asks_for_all_candidates() -> None:
    factored, pairs = decode(Factored([1, 2], [3, 4], name="shop"))
    assert (factored.picks, factored.included, pairs) == (None, None, 6)


def test_candidates_may_have_no_columns() -> None:
    factored, pairs = decode(Factored([1, 2]).include([], [], []))
    assert (factored.name, factored.included, pairs) == ("", Candidates((), b"", 2), 2)


def test_tensors_may_be_in_any_order() -> None:
    one, other = whole(), whole()
    order = [3, 1, 4, 0, 2]
    inputs, raw = list(other.request.inputs), list(other.request.raw_input_contents)
    del other.request.inputs[:], other.request.raw_input_contents[:]
    other.request.inputs.extend(inputs[place] for place in order)
    other.request.raw_input_contents.extend(raw[place] for place in order)
    assert decode(one) == decode(other)


def test_plain_rows_are_not_factored() -> None:
    assert not is_factored(raw_request(bytes(16), [1, 2]))
    assert is_factored(whole().request)


def reshape(place: int, *shape: int) -> Change:
    def change(given: Factored) -> None:
        given.request.inputs[place].shape[:] = shape

    return change


def refill(place: int, *values: int) -> Change:
    def change(given: Factored) -> None:
        given.request.raw_input_contents[place] = unsigned(*values)

    return change


def without(*places: int) -> Change:
    def change(given: Factored) -> None:
        for place in sorted(places, reverse=True):
            del given.request.inputs[place], given.request.raw_input_contents[place]

    return change


SHARED, COUNTS, PICKS, COLUMNS, CANDIDATES = range(5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda given: given.add("features", "FP64", [0], []), r"inputs: factored rows consist of .*'features'\]"),
        (lambda given: given.add("shared", "FP64", [0], []), "inputs: .* each at most once"),
        (lambda given: given.request.raw_input_contents.pop(), "raw_input_contents: send one entry for each input"),
        (lambda given: given.request.inputs[0].contents.fp64_contents.append(1), "raw_input_contents: .* no contents"),
        (lambda given: setattr(given.request.inputs[SHARED], "datatype", "FP32"), r"inputs\[0\].datatype: .* FP64"),
        (lambda given: setattr(given.request.inputs[PICKS], "datatype", "INT64"), r"inputs\[2\].datatype: .* 'INT64'"),
        (lambda given: given.request.inputs[SHARED].shape.append(1), r"inputs\[0\].shape: must be \[requests, 2\]"),
        (reshape(SHARED, 4, 1), r"inputs\[0\].shape: must be \[requests, 2\], not \[4, 1\]"),
        (reshape(SHARED, -2, -2), r"inputs\[0\].shape: must be"),
        (reshape(SHARED, 3, 2), r"raw_input_contents\[0\]: the shape needs 48 bytes, not 32"),
        (lambda given: setattr(given.request.parameters["candidates"], "int64_param", 3), "parameters.'candidates'"),
        (without(COUNTS), "inputs: send counts and picks together, or neither"),
        (without(PICKS), "inputs: send counts and picks together, or neither"),
        (without(COLUMNS), "inputs: send columns and candidates together, or neither"),
        (without(CANDIDATES), "inputs: send columns and candidates together, or neither"),
        (reshape(COUNTS, 2, 1), r"inputs\[1\].shape: counts must be \[2\]"),
        (reshape(PICKS, 3, 1), r"inputs\[2\].shape: picks must be \[pairs\]"),
        (refill(COUNTS, 3, 0), r"inputs\[1\]: a count is 0"),
        (refill(COUNTS, 2, 2), r"inputs\[1\]: the counts add up to 4 picks, but picks has 3"),
        (refill(PICKS, 2, 0, 3), "inputs: picks must be below 3, .* not 3"),
        (refill(COLUMNS, 2), r"inputs\[3\]: columns must be below 2"),
        (reshape(COLUMNS, 1, 1), r"inputs\[3\]: columns must be a list of ascending"),
        (reshape(CANDIDATES, 3), r"inputs\[4\].shape: must be \[candidates, 1\], not \[3\]"),
        (reshape(CANDIDATES, 1, 3), r"inputs\[4\].shape: must be \[candidates, 1\], not \[1, 3\]"),
    ],
)  # fmt: skip
def test_fault_is_reported_with_its_field(change: Change, complaint: str) -> None:
    given = whole()
    change(given)
    with pytest.raises(WrongRequest, match=complaint):
        decode(given)


def test_message_without_requests_is_refused() -> None:
    with pytest.raises(WrongRequest, match=r"inputs\[0\].shape: must be \[requests, 2\], not \[0, 2\]"):
        decode(Factored())


@pytest.mark.parametrize("columns", [[1, 0], [1, 1]])
def test_columns_that_do_not_ascend_are_refused(columns: list[int]) -> None:
    with pytest.raises(WrongRequest, match=r"inputs\[1\]: columns must be a list of ascending"):
        decode(Factored([1, 2]).include(columns, [7, 8]))


@pytest.mark.parametrize("count", [0, MAX_CANDIDATES + 1])
def test_number_of_candidates_is_limited(count: int) -> None:
    with pytest.raises(WrongRequest, match=rf"inputs\[2\].shape: send 1 to {MAX_CANDIDATES} candidates, not {count}"):
        decode(Factored([1, 2]).include([], *[[]] * count))


@pytest.mark.parametrize("given", [Factored([1, 2], [3, 4], [5, 6]), Factored([1, 2]).picks([0, 1, 2, 0, 1, 2, 0])])
def test_too_many_pairs_are_refused(given: Factored) -> None:
    with pytest.raises(WrongRequest, match=r"inputs: [79] pairs are too many; send at most 6"):
        decode(given)


@given(
    data=st.lists(st.binary(max_size=24), min_size=5, max_size=5),
    shapes=st.lists(st.lists(st.integers(-2, 4), max_size=3), min_size=5, max_size=5),
)
def test_random_message_is_consistent_or_refused(data: list[bytes], shapes: list[list[int]]) -> None:
    request = whole().request
    for place in range(5):
        request.inputs[place].shape[:] = shapes[place]
        request.raw_input_contents[place] = data[place]
    try:
        factored = decode_factored(request, FEATURES)
        assert factored.included is not None
        assert factored.picks is not None
        pairs = factored.pairs(factored.included.count, MAX_PAIRS)
    except WrongRequest:
        return
    counts, positions = array("I", factored.picks.counts), array("I", factored.picks.positions)
    assert len(factored.shared) == factored.requests * FEATURES * 8
    assert (len(counts), sum(counts), len(positions)) == (factored.requests, pairs, pairs)
    assert max(positions) < factored.included.count
    assert len(factored.included.values) == factored.included.count * len(factored.included.columns) * 8
