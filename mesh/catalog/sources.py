"""The sources of the features of a row, and whether they fit the features that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mesh.catalog.offers_table import OffersTable
from mesh.category_lists import CategoryList, OpenLists, has_texts, needs_text
from mesh.model_file import ModelHeader
from mesh.players.features import Columns

if TYPE_CHECKING:
    from mesh.catalog.catalog import ContextKind

Kind = Literal["number", "text", "either"]
NUMBER: Kind = "number"
TEXT: Kind = "text"
EITHER: Kind = "either"  # numbers of the offers' CSV file, which are also known as they are written
NO_CATEGORIES = "is text, but the model has no categories for it"


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
        if self.columns is not None:
            yield from ((name, NUMBER) for name in self.columns.numbers)
            yield from ((name, TEXT) for name in self.columns.texts)
        if self.offers is not None:
            yield from ((name, EITHER if name in self.offers.spellings else NUMBER) for name in self.offers.numbers)
            yield from ((name, TEXT) for name in self.offers.texts)
        yield from ((name, TEXT if kind == "text" else NUMBER) for name, kind in self.context.items())


def resolved(header: ModelHeader, sources: Sources) -> ModelHeader:
    """Returns `header` without open lists of categories, if the kinds of the sources leave only one way."""
    if header.open_lists is None:
        return header
    kinds = sources.kinds()

    def fits(name: str, values: CategoryList) -> bool:
        return not kinds.get(name) or _misfit(kinds[name], values) is None

    known = header.open_lists.assigned(header.feature_names, fits)
    return header if known is None else replace(header, categories=known, open_lists=None)


def misfits(header: ModelHeader, sources: Sources, *, is_complete: bool = True) -> list[tuple[str, str]]:
    """Returns the problem and the fix for every feature of the model that the sources cannot fill.

    If `sources` are not complete, features without a source are left out: other sources may have them.
    """
    header, kinds = resolved(header, sources), sources.kinds()
    if header.open_lists is not None:
        return [_open_fault(header.open_lists)] if is_complete else []
    checked = [name for name in header.feature_names if is_complete or name in kinds]
    found = ((name, _misfit(kinds.get(name, set()), header.categories.get(name))) for name in checked)
    return [(f"feature {name!r} {misfit[0]}", misfit[1]) for name, misfit in found if misfit is not None]


def _open_fault(lists: OpenLists) -> tuple[str, str]:
    example = ", ".join(columns[0] for columns in lists.columns)
    return (
        f"the list of pandas categories {lists}, and the model file does not show to which of them it belongs",
        f"name the columns of type category in the model's entry of the catalog, such as `categories: [{example}]`, or "
        "train the model with the type category for all these columns and without `categorical_feature`",
    )


def _misfit(given: AbstractSet[Kind], categories: Sequence[object] | None) -> tuple[str, str] | None:
    texts = has_texts(categories or ())
    wanted = TEXT if needs_text(categories or ()) else NUMBER
    match sorted({wanted if kind == EITHER else kind for kind in given}):
        case []:
            return "has no source", "add it to the player store, to `context` or to the offers"
        case ["number", "text"]:
            return "is a number in one source and text in another", "use one kind everywhere"
        case _ if texts and not all(isinstance(category, str) for category in categories or ()):
            return "has texts and other values among its categories", "train the model with values of one kind"
        case ["text"] if categories is None:
            return (
                NO_CATEGORIES,
                "train the model with a pandas category, or store the codes",
            )
        case ["text"] if categories and wanted == NUMBER:
            return "is text, but its categories in the model are not texts", "store the values as numbers"
        case ["number"] if texts:
            return "is a number, but its categories in the model are texts", "store the texts, not their codes"
        case ["number"] if wanted == TEXT:
            return (
                "is a number, which is exact only below 2^53, but the model has larger whole numbers as categories",
                "load the column as text (`mesh features load --text NAME`), or declare it as text in `context`",
            )
    return None
