import math

import numpy as np
import pyarrow as pa
import pytest

from mesh.players.loading.column_kinds import Kind, KindSurvey, as_numbers, as_truths, kinds_in


def survey(*batches: list[str | None], declared: dict[str, Kind] | None = None) -> KindSurvey:
    found, row = KindSurvey(["x"], declared or {}), 0
    for cells in batches:
        found.add(pa.record_batch({"x": pa.array(cells, pa.string())}), row)
        row += len(cells)
    return found


def place(row: int) -> str:
    return f"row {row}"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2.5e3", ".5", "+7", " 8 ", "nan", None], "number"),
        (["true", "FALSE", None], "boolean"),
        (["ios", "android", None], "text"),
        (["true", "maybe"], "text"),
        ([None, None], "number"),
        (["", "7", None], "number"),
        (["", "true"], "boolean"),
        (["", ""], "number"),
        (["", "de"], "text"),
        (["0x10"], "text"),
        (["1_000"], "text"),
    ],
)
def test_kind_of_a_column_fits_all_its_cells(cells: list[str | None], kind: Kind) -> None:
    assert survey(cells).kinds() == {"x": kind}


def test_word_after_numbers_is_a_fault_with_both_cells() -> None:
    late = survey(["1", "2"], ["3", "abc"])

    assert list(late.faults(place)) == [
        "row 3: column 'x' is 'abc', but '1' at row 0; correct the cell, or load the column as text: --text x"
    ]


def test_column_declared_as_text_may_have_any_cells() -> None:
    mixed = survey(["1", "abc", "inf"], declared={"x": "text"})

    assert list(mixed.faults(place)) == []
    assert mixed.kinds() == {"x": "text"}


def test_infinite_number_is_a_fault_at_its_row() -> None:
    infinite = survey(["1"], ["2", "-inf"])

    assert list(infinite.faults(place)) == ["row 2: column 'x' is -inf; give a finite number, or leave it empty"]


def test_kinds_in_finds_the_first_cell_of_each_kind() -> None:
    cells = pa.array([None, "7", "true", "x", "8"])

    assert kinds_in(cells, as_numbers(cells)) == {"number": 1, "boolean": 2, "text": 3}


def test_numbers_are_exact_and_empty_cells_are_nan() -> None:
    texts = ["0.1", "1e-310", "17976931348623157e292", None]

    numbers = as_numbers(pa.array(texts))

    assert numbers is not None
    assert numbers[:3].tolist() == [float(text) for text in texts if text]
    assert math.isnan(numbers[3])


def test_booleans_become_one_and_zero() -> None:
    np.testing.assert_array_equal(as_truths(pa.array(["True", "false", None])), [1.0, 0.0, math.nan])
    np.testing.assert_array_equal(as_truths(pa.array([True, False, None])), [1.0, 0.0, math.nan])
