"""Compares the values that the sources give with the values that the training of the models had.

LightGBM scores an unknown category like a missing value, and a number outside the range of the training like the
nearest number in it. So the scores do not show that a source has other values than the training had.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mesh.category_lists import ColumnCodes, codes_of
from mesh.model_file import ModelHeader
from mesh.reference.values import Value

_EXAMPLES = 3
_RARE = 0.05  # new players always have a few numbers that nobody had in training

Kind = Literal["missing", "unseen", "range"]


@dataclass(frozen=True, slots=True)
class TrainedInputs:
    """The header of a model, without open lists of categories, and the values of its columns in training."""

    header: ModelHeader
    columns: Sequence[ColumnCodes]


@dataclass(frozen=True, slots=True)
class InputFinding:
    """A feature with `count` of `total` values that the training did not have, as a sentence."""

    feature: str
    kind: Kind
    count: int
    total: int
    sentence: str

    @property
    def is_whole(self) -> bool:
        """Whether no value is as in training: then the feature has no effect, or a wrong one."""
        return self.count == self.total


@dataclass(frozen=True, slots=True)
class _Trained:
    """The values of one feature in the training of all models."""

    is_used: bool
    categories: frozenset[object] | None
    codes: frozenset[float] | None
    ends: tuple[float, float] | None


def check_inputs(models: Sequence[TrainedInputs], given: Mapping[str, Sequence[Value]]) -> list[InputFinding]:
    """Returns the findings for the values `given` by the name of the feature; features of no model are left out.

    A value counts as known, or as in range, if it is so for at least one model.
    """
    return [finding for name in sorted(given) for finding in _check(name, _trained(models, name), given[name])]


def _check(name: str, trained: _Trained, given: Sequence[Value]) -> Iterator[InputFinding]:
    if not trained.is_used or not given:
        return
    values = [value for value in given if not _is_missing(value)]
    if not values:
        yield InputFinding(name, "missing", len(given), len(given), f"is missing in all {len(given):,} samples")
    elif trained.categories is not None or trained.codes is not None:
        known = trained.categories if trained.categories is not None else trained.codes
        unseen = Counter(value for value in values if known is not None and value not in known)
        if unseen:
            examples = ", ".join(repr(value) for value, _ in unseen.most_common(_EXAMPLES))
            count = unseen.total()
            sentence = f"{_share(count, len(values))} are categories that the training did not have, such as {examples}"
            yield InputFinding(name, "unseen", count, len(values), sentence)
    elif trained.ends is not None:
        yield from _outside(name, trained.ends, values)


def _outside(name: str, ends: tuple[float, float], values: Sequence[Value]) -> Iterator[InputFinding]:
    numbers = [float(value) for value in values if value is not None]
    outside = [number for number in numbers if not ends[0] <= number <= ends[1]]
    if len(outside) > _RARE * len(numbers):
        spread = f"{min(numbers):.6g} to {max(numbers):.6g}"
        trained = f"the training had {ends[0]:.6g} to {ends[1]:.6g}"
        sentence = f"{_share(len(outside), len(numbers))} are out of range: {trained}, the samples have {spread}"
        yield InputFinding(name, "range", len(outside), len(numbers), sentence)


def _trained(models: Sequence[TrainedInputs], name: str) -> _Trained:
    columns = [column for model in models for column in model.columns if column.name == name]
    used = [column for column in columns if column.codes is not None or column.ends is not None]
    lists = [model.header.categories[name] for model in models if name in model.header.categories]
    known = frozenset(value for values in lists for value in codes_of(values)) if lists else None
    codes = [column.codes for column in used if column.codes is not None]
    ends = [column.ends for column in used if column.ends is not None]
    return _Trained(
        is_used=bool(used),
        categories=known,
        codes=frozenset(float(code) for of_column in codes for code in of_column) if codes else None,
        ends=(min(low for low, _ in ends), max(high for _, high in ends)) if ends else None,
    )


def _is_missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.3g} % of the values ({count:,} of {total:,})"
