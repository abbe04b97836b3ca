"""Where the features of a row come from, and whether they are what a model was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mesh.catalog import ContextKind
from mesh.model_file import ModelHeader
from mesh.offers_table import OffersTable
from mesh.player_features import Columns

Kind = Literal["number", "text"]
NUMBER: Kind = "number"
TEXT: Kind = "text"


@dataclass(frozen=True, slots=True)
class Sources:
    """The kind of every feature that a game can provide; `columns` is None while the store cannot be read."""

    columns: Columns | None
    context: Mapping[str, ContextKind]
    offers: OffersTable | None

    def kinds(self) -> dict[str, Kind]:
        """The kind of every feature by name; a boolean is a number."""
        kinds: dict[str, Kind] = {}
        for table in (self.columns, self.offers):
            if table is not None:
                kinds.update(dict.fromkeys(table.numbers, NUMBER))
                kinds.update(dict.fromkeys(table.texts, TEXT))
        kinds.update({name: TEXT if kind == "text" else NUMBER for name, kind in self.context.items()})
        return kinds


def misfits(header: ModelHeader, sources: Sources) -> list[tuple[str, str]]:
    """Every feature of the model that the sources cannot fill, as pairs of problem and mend."""
    kinds = sources.kinds()
    found = []
    for name in header.feature_names:
        if name not in kinds:
            problem, mend = (
                f"feature {name!r} comes from no source",
                "add it to the store, `context` or the offers",
            )
            found.append((problem, mend))
        elif kinds[name] == "text" and name not in header.categories:
            problem = f"feature {name!r} is text, and the model knows no categories for it"
            found.append((problem, "train it as a pandas category, or store its codes"))
        elif kinds[name] == "number" and _are_texts(header.categories.get(name, ())):
            problem = f"feature {name!r} is a number, and the model's categories are texts"
            found.append((problem, "store its texts, not its codes"))
    return found


def _are_texts(categories: Iterable[object]) -> bool:
    return any(isinstance(category, str) for category in categories)
