"""The sources of the features of a row, and whether they fit the features that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable
from mesh.model_file import ModelHeader
from mesh.players.features import Columns

Kind = Literal["number", "text"]
NUMBER: Kind = "number"
TEXT: Kind = "text"


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of features; `columns` is None while the store cannot be read."""

    columns: Columns | None
    context: Mapping[str, ContextKind]
    offers: OffersTable | None

    def kinds(self) -> dict[str, set[Kind]]:
        """Returns the kinds of each feature by name: one kind, unless the sources contradict each other."""
        kinds: dict[str, set[Kind]] = {}
        for name, kind in self._given():
            kinds.setdefault(name, set()).add(kind)
        return kinds

    def _given(self) -> Iterator[tuple[str, Kind]]:
        for table in (self.columns, self.offers):
            if table is not None:
                yield from ((name, NUMBER) for name in table.numbers)
                yield from ((name, TEXT) for name in table.texts)
        yield from ((name, TEXT if kind == "text" else NUMBER) for name, kind in self.context.items())


def misfits(header: ModelHeader, sources: Sources) -> list[tuple[str, str]]:
    """Returns the problem and the fix for every feature of the model that the sources cannot fill."""
    kinds = sources.kinds()
    found = ((name, _misfit(kinds.get(name, set()), header.categories.get(name))) for name in header.feature_names)
    return [(f"feature {name!r} {misfit[0]}", misfit[1]) for name, misfit in found if misfit is not None]


def _misfit(kinds: set[Kind], categories: Sequence[object] | None) -> tuple[str, str] | None:
    texts = any(isinstance(category, str) for category in categories or ())
    match sorted(kinds):
        case []:
            return "has no source", "add it to the player store, to `context` or to the offers"
        case ["number", "text"]:
            return "is a number in one source and text in another", "use one kind everywhere"
        case ["text"] if categories is None:
            return (
                "is text, but the model has no categories for it",
                "train the model with a pandas category, or store the codes",
            )
        case ["text"] if categories and not texts:
            return "is text, but its categories in the model are not texts", "store the values as numbers"
        case ["number"] if texts:
            return "is a number, but its categories in the model are texts", "store the texts, not their codes"
    return None
