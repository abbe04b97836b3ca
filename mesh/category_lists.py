"""Finds out to which columns the lists of pandas categories at the end of a model file belong.

LightGBM writes a list for each column of pandas' type category, in the order of the columns, but without their names.
`[categorical_feature: ]` does not name them either: it has the columns that training treats as categorical. Ordered
categories are not among them, and `categorical_feature` of the user replaces them all (`_data_from_pandas` in
LightGBM's basic.py). The evidence is in `feature_infos`, which has the codes of each column that training saw: the
codes of a category column are positions in its list.

A list belongs to a categorical column with fitting codes, unless an integer column fits as well: a column that uses
every position of the list, or, if the categorical column does not use all of them, more than half of them. Then the
lists are open, because the file does not show it; the sources of the features may decide, or the catalog does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Category = str | int | float | bool
CategoryList = tuple[Category, ...]
EXACT_BELOW = 2**53  # float64 has every whole number up to here
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ColumnCodes:
    """The values of one column that training saw; both are None for a column without a split.

    `codes` are the values of a categorical column, without missing ones; `ends` the smallest and the largest value of
    a numeric one.
    """

    name: str
    is_categorical: bool
    codes: frozenset[int] | None = None
    ends: tuple[float, float] | None = None

    def fits(self, values: CategoryList) -> bool:
        """Whether the values can be positions in the list."""
        size = len(values)
        if self.codes is not None:
            return all(0 <= code < size for code in self.codes)
        return self.ends is None or (
            all(end.is_integer() for end in self.ends) and 0 <= min(self.ends) <= max(self.ends) < size
        )

    @property
    def used(self) -> int:
        """The number of positions that the column uses, at most; 0 if it is not known."""
        if self.codes is not None:
            return len(self.codes)
        return 0 if self.ends is None else int(self.ends[1] - self.ends[0]) + 1


@dataclass(frozen=True, slots=True)
class OpenLists:
    """Lists that fit more columns than one: `columns` has, for each of `lists`, the columns that may hold it.

    The lists, and the columns of each list, are in the order of the file.
    """

    lists: tuple[CategoryList, ...]
    columns: tuple[tuple[str, ...], ...]

    def assigned(
        self, order: Sequence[str], fits: Callable[[str, CategoryList], bool]
    ) -> dict[str, CategoryList] | None:
        """Returns the lists by column if `fits` leaves only one way; None otherwise. `order` has all columns."""
        places = {name: place for place, name in enumerate(order)}
        held = zip(self.columns, self.lists, strict=True)
        left = [[places[name] for name in names if fits(name, values)] for names, values in held]
        lowest = _lowest(left)
        if lowest is None or lowest != _highest(left):
            return None
        return {order[place]: values for place, values in zip(lowest, self.lists, strict=True)}

    def __str__(self) -> str:
        """Describes the first list that more than one column may hold."""
        index = next((index for index, names in enumerate(self.columns) if len(names) > 1), 0)
        return f"{shown(self.lists[index])} fits the columns {', '.join(map(repr, self.columns[index]))}"


def find_columns(lists: Sequence[CategoryList], columns: Sequence[ColumnCodes]) -> OpenLists:
    """Returns the columns that may hold each list, by the strongest evidence that explains all lists together.

    If no evidence explains them, the result has no columns.
    """
    order = {column.name: place for place, column in enumerate(columns)}
    for evidence in (_is_likely, _is_possible, _fits):
        names = tuple(tuple(_names(evidence, values, columns)) for values in lists)
        if _lowest([[order[name] for name in held] for held in names]) is not None:
            return OpenLists(tuple(lists), names)
    return OpenLists(tuple(lists), ())


def shown(values: CategoryList) -> str:
    """Returns the beginning of a list, for messages."""
    more = ", ..." if len(values) > _SHOWN else ""
    return f"[{', '.join(map(repr, values[:_SHOWN]))}{more}]"


def has_texts(values: Sequence[object]) -> bool:
    """Whether a list has a text."""
    return any(isinstance(value, str) for value in values)


def needs_text(values: Sequence[object]) -> bool:
    """Whether the values of the column must be stored as texts: a number column rounds whole numbers from 2^53 on."""
    return any(isinstance(value, str) or (type(value) is int and abs(value) >= EXACT_BELOW) for value in values)


def codes_of(values: Sequence[Category]) -> dict[object, float]:
    """Returns the code of each value, by the value in the form of its source: large whole numbers come as texts."""
    codes: dict[object, float] = {value: float(code) for code, value in enumerate(values)}
    if needs_text(values):
        codes |= {str(value): code for value, code in codes.items()}
    return codes


_Evidence = Callable[[ColumnCodes, CategoryList, int], bool]


def _names(evidence: _Evidence, values: CategoryList, columns: Sequence[ColumnCodes]) -> Iterator[str]:
    """Yields the columns that may hold a list. `used` is the most that a categorical column uses of it."""
    fitting = [column for column in columns if column.fits(values)]
    used = max((column.used for column in fitting if column.is_categorical), default=0)
    yield from (column.name for column in fitting if evidence(column, values, used))


def _is_likely(column: ColumnCodes, values: CategoryList, used: int) -> bool:
    """Words need no comparison with number columns, which the sources of the features keep apart from texts."""
    return column.is_categorical or (not _are_distinct(values) and _is_rival(column, values, used))


def _is_possible(column: ColumnCodes, values: CategoryList, used: int) -> bool:
    return column.is_categorical or _is_rival(column, values, used)


def _fits(_column: ColumnCodes, _values: CategoryList, _used: int) -> bool:
    return True


def _is_rival(column: ColumnCodes, values: CategoryList, used: int) -> bool:
    """Whether an integer column may be a category column that the user did not name in `categorical_feature`."""
    if column.used == len(values) > 0:
        return True
    return 0 < used < len(values) and (column.used * 2 > len(values) or column.used >= used)


def _are_distinct(values: CategoryList) -> bool:
    """Whether a list has a text that is not a number, or is [False, True]: these values equal their codes."""
    if all(isinstance(value, bool) for value in values):
        return values == (False, True)
    return any(isinstance(value, str) and not _is_number(value) for value in values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lowest(places: Sequence[Sequence[int]]) -> list[int] | None:
    """Returns the lowest place of each list, each above the one before it; None if there is no such choice."""
    chosen: list[int] = []
    for held in places:
        after = [place for place in held if not chosen or place > chosen[-1]]
        if not after:
            return None
        chosen.append(min(after))
    return chosen


def _highest(places: Sequence[Sequence[int]]) -> list[int] | None:
    mirrored = _lowest([[-place for place in held] for held in reversed(places)])
    return None if mirrored is None else [-place for place in reversed(mirrored)]
