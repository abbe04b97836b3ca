"""The file of golden rows: exact, self-describing, and refused after any damage."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.category_lists import Category
from mesh.golden import (
    BadGolden,
    Golden,
    GoldenRow,
    check_model,
    decode,
    encode,
    expected_scores,
    find_difference,
    rows_of,
)

GOLDEN = Golden(
    model_sha256="ab" * 32,
    features=("level", "platform", "tier"),
    categories=("platform", "tier"),
    classes=1,
    tolerance=0.0,
    scored_by="LightGBM 4.6.0",
    rows=(
        GoldenRow((3.5, "wéb", 20), (0.1 + 0.2,)),
        GoldenRow((None, None, 7), (-0.0,)),
        GoldenRow((True, "abacus", None), (5e-324,)),
    ),
)
CATEGORIES: dict[str, tuple[Category, ...]] = {"platform": ("ios", "wéb"), "tier": (10, 20)}


def scores(*values: float) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def test_file_has_a_line_for_each_row_and_reads_back_equal() -> None:
    data = encode(GOLDEN)
    assert data.count(b"\n") == 1 + len(GOLDEN.rows) + 1
    assert decode(data) == GOLDEN


@given(st.lists(st.floats(width=64), min_size=1, max_size=8))
def test_scores_and_numbers_keep_their_bits(values: list[float]) -> None:
    rows = tuple(GoldenRow((value,), (value,)) for value in values)
    golden = replace(GOLDEN, features=("x",), categories=(), rows=rows)
    read = decode(encode(golden))
    numbers = struct.unpack(f"{len(values)}d", expected_scores(read))
    assert [math.isnan(one) for one in numbers] == [math.isnan(one) for one in values]
    finite = [(one, other) for one, other in zip(numbers, values, strict=True) if not math.isnan(other)]
    assert all(scores(one) == scores(other) for one, other in finite)
    assert find_difference(read, expected_scores(read)) is None


@pytest.mark.parametrize("place", [0, 40, 300, -67, -30, -1])
def test_file_with_one_changed_byte_is_refused(place: int) -> None:
    data = bytearray(encode(GOLDEN))
    data[place] ^= 1
    with pytest.raises(BadGolden, match="publish"):
        decode(bytes(data))


@pytest.mark.parametrize("size", [0, 1, 64, 65, 200])
def test_truncated_file_is_refused(size: int) -> None:
    with pytest.raises(BadGolden):
        decode(encode(GOLDEN)[:size])


def test_unknown_format_is_refused_by_its_number() -> None:
    import hashlib

    content = encode(GOLDEN).replace(b'{"golden": 1', b'{"golden": 2').rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n"
    with pytest.raises(BadGolden, match="its format is 2, and this program reads format 1"):
        decode(content + f"{hashlib.sha256(content).hexdigest()}\n".encode())


def test_rows_of_another_model_file_are_refused() -> None:
    check_model(GOLDEN, GOLDEN.model_sha256, GOLDEN.features, 1)
    with pytest.raises(BadGolden, match=r"belong to the model file abab.*, not to cdcd.*; publish the golden rows of"):
        check_model(GOLDEN, "cd" * 32, GOLDEN.features, 1)
    with pytest.raises(BadGolden, match="3 features and 1 classes, but the model has 3 and 2"):
        check_model(GOLDEN, GOLDEN.model_sha256, GOLDEN.features, 2)


def test_categories_become_the_codes_of_the_model_and_unknown_ones_are_missing() -> None:
    rows = struct.unpack("9d", rows_of(GOLDEN, CATEGORIES))
    assert rows[:3] == (3.5, 1.0, 1.0)
    assert all(map(math.isnan, rows[3:6]))
    assert rows[6] == 1.0
    assert all(map(math.isnan, rows[7:]))


def test_text_in_a_column_without_categories_is_refused_with_its_row() -> None:
    with pytest.raises(BadGolden, match="row 1 has the text 'wéb' for 'platform', which has no categories"):
        rows_of(GOLDEN, {"tier": (10, 20)})


def test_first_difference_names_the_row_and_both_scores() -> None:
    got = scores(0.1 + 0.2, 0.0, 1.0)
    assert str(find_difference(GOLDEN, got)) == "golden row 2: expected -0.0, got 0.0"


def test_tolerance_of_the_file_allows_a_difference_up_to_it() -> None:
    near = replace(GOLDEN, tolerance=1e-6)
    assert find_difference(near, scores(0.3 + 1e-7, 1e-6, -1e-7)) is None
    difference = find_difference(near, scores(0.3, 2e-6, 0.0))
    assert difference is not None
    assert difference.row == 2
    assert find_difference(near, scores(0.3, math.nan, 0.0)) is not None
