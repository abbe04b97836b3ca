"""Values that no model knows. LightGBM scores them like missing values, so the scores do not show them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mesh.catalog.offers_table import OffersTable
from mesh.category_lists import codes_of
from mesh.model_file import ModelHeader

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class UnseenValues:
    """The values of one feature that no model of some versions knows: `count` of `total` values, and a few of them."""

    feature: str
    versions: tuple[str, ...]
    count: int
    total: int
    examples: tuple[object, ...]

    def __str__(self) -> str:
        share = f"{100 * self.count / self.total:.3g} % of the values ({self.count:,} of {self.total:,})"
        examples = ", ".join(map(repr, self.examples))
        return (
            f"{self.feature!r}: {share} are unknown to every model of {', '.join(self.versions)} and count as missing, "
            f"such as {examples}"
        )


def known_values(headers: Iterable[ModelHeader]) -> dict[str, set[object]]:
    """Returns the values of each feature with categories that at least one model knows."""
    known: dict[str, set[object]] = {}
    for header in headers:
        for name, values in header.categories.items():
            known.setdefault(name, set()).update(codes_of(values))
    return known


def unseen_values(
    counts: Mapping[str, Mapping[object, int]], known: Mapping[str, Mapping[str, AbstractSet[object]]]
) -> list[UnseenValues]:
    """Returns the unseen values of each feature; `counts` has the values of each feature, `known` those of versions.

    Versions with the same unseen values share one result.
    """
    found: dict[tuple[str, tuple[object, ...]], UnseenValues] = {}
    for version, features in known.items():
        for feature in features.keys() & counts.keys():
            unseen = {value: count for value, count in counts[feature].items() if value not in features[feature]}
            if unseen:
                key = (feature, tuple(unseen))
                versions = (*found[key].versions, version) if key in found else (version,)
                examples = tuple(sorted(unseen, key=lambda value: -unseen[value])[:_EXAMPLES])
                total = sum(counts[feature].values())
                found[key] = UnseenValues(feature, versions, sum(unseen.values()), total, examples)
    return sorted(found.values(), key=lambda one: (one.feature, one.versions))


def unseen_offer_values(
    offers: OffersTable | None, feature: str, known: AbstractSet[object]
) -> Iterator[tuple[int, object]]:
    """Yields the position and the value of each offer whose value of `feature` is not in `known`."""
    tables = () if offers is None else (offers.texts, offers.numbers, offers.spellings)
    forms: Sequence[Sequence[object]] = [table[feature] for table in tables if feature in table]
    for position, values in enumerate(zip(*forms, strict=True)):
        if not any(_is_missing(value) or value in known for value in values):
            yield position, values[-1]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
