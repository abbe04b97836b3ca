"""The side files of a decision log as values: ensembles, row layouts and tables of offers. Reads each file once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.version import Combine
from mesh.category_lists import CategoryList
from mesh.decisions.log import Log
from mesh.errors import Misconfigured

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model of an ensemble. `class_index` is None for a model with one output.

    `layout` is the name of its row layout. `sha256` and `layout` are empty if the model was never asked.
    """

    name: str
    uri: str
    sha256: str
    weight: float
    class_index: int | None
    layout: str


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The models of a version, in the order of their votes, and the rules that made offers of the votes.

    `explore` has the block of the catalog. `offers` names the table of offers; None in a game without offers. The
    values of the features `excluded` are not in the log.
    """

    version: str
    combine: Combine
    rank_by: str | None
    explore: Mapping[str, Any] | None
    models: tuple[LoggedModel, ...]
    offers: str | None
    excluded: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(model.name for model in self.models)

    @property
    def layouts(self) -> tuple[str, ...]:
        """The row layouts of the models, each once."""
        return tuple(dict.fromkeys(model.layout for model in self.models if model.layout))


@dataclass(frozen=True, slots=True)
class Layout:
    """The features of a row in their order; the code of a category is its position in `categories`.

    The table of offers fills the `offer_features`, except those that the context of a request names.
    """

    features: tuple[str, ...]
    categories: Mapping[str, CategoryList]
    offer_features: tuple[str, ...]
    context: frozenset[str]


@dataclass(frozen=True, slots=True)
class OfferValues:
    """A table of offers: ids, prices (NaN: no price), and the encoded features of each offer by layout and name."""

    ids: tuple[str, ...]
    prices: NDArray[np.float64] | None
    features: Mapping[str, Mapping[str, NDArray[np.float64]]]


class SideFiles:
    """The side files of one game. The methods raise NotFound for a missing file, Misconfigured for a damaged one."""

    def __init__(self, log: Log, game: str) -> None:
        self._log = log
        self._game = game
        self._known: dict[tuple[str, str], Any] = {}

    def ensemble(self, name: str) -> Ensemble:
        """Returns an ensemble."""
        return self._read("ensembles", name, self._log.ensemble, _ensemble)

    def layout(self, name: str) -> Layout:
        """Returns a row layout."""
        return self._read("layouts", name, self._log.layout, _layout)

    def offers(self, name: str) -> OfferValues:
        """Returns a table of offers."""
        return self._read("offers", name, self._log.offers, _offers)

    def _read(self, kind: str, name: str, read: Callable[[str, str], Any], parse: Callable[[Any], _Parsed]) -> _Parsed:
        if (kind, name) not in self._known:
            content = read(self._game, name)
            try:
                self._known[kind, name] = parse(content)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                place = f"{self._log.name}/{kind}/game={self._game}/{name}.json"
                raise Misconfigured([f"{place}: is damaged: {error!r}; restore it"]) from error
        found: _Parsed = self._known[kind, name]
        return found


def _ensemble(content: Mapping[str, Any]) -> Ensemble:
    rule = {name: value for name, value in content["combine"].items() if value is not None}
    models = [
        LoggedModel(
            **{name: one[name] for name in LoggedModel.__slots__ if name != "layout"}, layout=one["layout"] or ""
        )
        for one in content["models"]
    ]
    return Ensemble(
        version=content["version"],
        combine=Combine.model_validate(rule),
        rank_by=content["rank_by"],
        explore=content["explore"],
        models=tuple(models),
        offers=content["offers"],
        excluded=frozenset(content.get("excluded", ())),
    )


def _layout(content: Mapping[str, Any]) -> Layout:
    return Layout(
        features=tuple(content["features"]),
        categories={name: tuple(values) for name, values in content["categories"].items()},
        offer_features=tuple(content["offer_features"]),
        context=frozenset(content["context"]),
    )


def _offers(content: Mapping[str, Any]) -> OfferValues:
    return OfferValues(
        ids=tuple(content["ids"]),
        prices=None if content["prices"] is None else _numbers(content["prices"]),
        features={
            layout: {name: _numbers(values) for name, values in features.items()}
            for layout, features in content["features"].items()
        },
    )


def _numbers(values: list[float | None]) -> NDArray[np.float64]:
    """JSON has no NaN: null means NaN."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
