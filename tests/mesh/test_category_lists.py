"""The columns of lists of categories, from the codes that training saw."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mesh.category_lists import CategoryList, ColumnCodes, find_columns

NUMBERS = (10, 20, 30, 40)
WORDS = ("a", "b", "c", "d")


def marked(name: str, *codes: int) -> ColumnCodes:
    return ColumnCodes(name, True, codes=frozenset(codes))


def plain(name: str, low: float, high: float) -> ColumnCodes:
    return ColumnCodes(name, False, ends=(float(low), float(high)))


def unused(name: str, is_categorical: bool = False) -> ColumnCodes:
    return ColumnCodes(name, is_categorical)


LEVEL = plain("level", -0.5, 60.2)
KNOWN: Mapping[str, tuple[list[CategoryList], list[ColumnCodes], list[str]]] = {
    "a marked column": ([NUMBERS], [LEVEL, marked("c", 0, 1, 2, 3)], ["c"]),
    "a marked column that does not use the whole list": ([NUMBERS], [LEVEL, marked("c", 1, 3)], ["c"]),
    "a marked column beside a flag": ([NUMBERS], [plain("flag", 0, 1), marked("c", 0, 1, 2, 3)], ["c"]),
    "a marked column that lacks one code, beside a flag": (
        [NUMBERS],
        [plain("flag", 0, 1), marked("c", 0, 1, 3)],
        ["c"],
    ),
    "a marked column of words beside a column that uses all codes": (
        [WORDS],
        [plain("x", 0, 3), marked("c", 0, 1, 2, 3)],
        ["c"],
    ),
    "a marked column beside integers above the list": ([NUMBERS], [plain("x", 0, 4), marked("c", 0, 1, 2, 3)], ["c"]),
    "ordered categories": ([WORDS, NUMBERS], [marked("c", 0, 3), LEVEL, plain("o", 0, 3)], ["c", "o"]),
    "ordered categories beside a flag": ([NUMBERS], [plain("flag", 0, 1), plain("o", 0, 3), LEVEL], ["o"]),
    "ordered categories that lack a code": ([NUMBERS], [LEVEL, plain("o", 0, 2)], ["o"]),
    "a constant marked column": ([WORDS, NUMBERS], [unused("c", True), marked("d", 0, 3), unused("x")], ["c", "d"]),
    "a column of missing values only": ([(), NUMBERS], [unused("c", True), unused("x"), marked("d", 0, 3)], ["c", "d"]),
    "an integer column marked by the user": ([WORDS], [marked("x", 0, 7), plain("o", 0, 3)], ["o"]),
}
OPEN: Mapping[str, tuple[list[CategoryList], list[ColumnCodes], list[list[str]]]] = {
    "two columns use all codes": ([NUMBERS], [plain("x", 0, 3), marked("c", 0, 1, 2, 3)], [["x", "c"]]),
    "no column uses all codes": ([NUMBERS], [marked("c", 0, 1, 2), plain("x", 0, 2)], [["c", "x"]]),
    "a marked column uses fewer codes": ([NUMBERS], [marked("c", 0), plain("x", 1, 2)], [["c", "x"]]),
    "two marked columns": ([NUMBERS], [marked("c", 0, 1), marked("d", 0, 1)], [["c", "d"]]),
    "texts of digits": ([("1", "2")], [plain("flag", 0, 1), marked("c", 0, 1)], [["flag", "c"]]),
    "two ordered columns": ([NUMBERS], [plain("o", 0, 3), plain("x", 0, 3)], [["o", "x"]]),
}


def anything(_name: str, _values: CategoryList) -> bool:
    return True


@pytest.mark.parametrize(("lists", "columns", "expected"), KNOWN.values(), ids=KNOWN)
def test_lists_are_assigned(lists: list[CategoryList], columns: list[ColumnCodes], expected: list[str]) -> None:
    found = find_columns(lists, columns)
    assert found.assigned([column.name for column in columns], anything) == dict(zip(expected, lists, strict=True))


@pytest.mark.parametrize(("lists", "columns", "expected"), OPEN.values(), ids=OPEN)
def test_lists_are_open(lists: list[CategoryList], columns: list[ColumnCodes], expected: list[list[str]]) -> None:
    found = find_columns(lists, columns)
    assert found.assigned([column.name for column in columns], anything) is None
    assert found.columns == tuple(map(tuple, expected))


def test_lists_that_fit_no_columns_have_none() -> None:
    assert find_columns([NUMBERS], [LEVEL, marked("c", 0, 4)]).columns == ()
    assert find_columns([WORDS, NUMBERS], [marked("c", 0, 1), LEVEL]).columns == ()


def test_open_list_is_assigned_if_only_one_of_its_columns_is_left() -> None:
    found = find_columns([NUMBERS], [plain("x", 0, 3), marked("c", 0, 1, 2, 3)])
    assert found.assigned(["x", "c"], lambda name, _: name == "x") == {"x": NUMBERS}
    assert found.assigned(["x", "c"], lambda _name, _values: False) is None
