"""Where the features of a row come from, and whether they are what a model was trained on."""

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
    """Everything that can fill a feature; `columns` is None while the store cannot be read."""

    columns: Columns | None
    context: Mapping[str, ContextKind]
    offers: OffersTable | None

    def kinds(self) -> dict[str, set[Kind]]:
        """By name, the kinds in which the sources give a feature: one, unless they contradict each other."""
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
    """Every feature of the model that the sources cannot fill, as pairs of problem and mend."""
    kinds = sources.kinds()
    found = ((name, _misfit(kinds.get(name, set()), header.categories.get(name))) for name in header.feature_names)
    return [(f"feature {name!r} {misfit[0]}", misfit[1]) for name, misfit in found if misfit is not None]


def _misfit(kinds: set[Kind], categories: Sequence[object] | None) -> tuple[str, str] | None:
    texts = any(isinstance(category, str) for category in categories or ())
    match sorted(kinds):
        case []:
            return "comes from no source", "add it to the store, `context` or the offers"
        case ["number", "text"]:
            return "is a number in one source and text in another", "give it one kind everywhere"
        case ["text"] if categories is None:
            return (
                "is text, and the model knows no categories for it",
                "train it as a pandas category, or store its codes",
            )
        case ["text"] if categories and not texts:
            return "is text, and the model's categories are no texts", "store its values as numbers"
        case ["number"] if texts:
            return "is a number, and the model's categories are texts", "store its texts, not its codes"
    return None
