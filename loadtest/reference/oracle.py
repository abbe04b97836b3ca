"""The expected answers of an ensemble: LightGBM's package on rows built in plain Python, combined in plain Python."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.game_inputs import GameInputs, candidates_of, context_of
from loadtest.player_store import sqlite_path
from loadtest.reference.combination import combine
from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog, Model
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources, resolved
from mesh.category_lists import needs_text
from mesh.model_file import ModelHeader
from mesh.players.sqlite import open_store, read_columns, read_players

_WRITTEN = "as written: "  # before the name of a number column of the offers: its cells as they are written
CACHED = 100_000  # votes of popular players, who are asked for many times

Value = float | str | None


@dataclass(frozen=True, slots=True)
class _Forest:
    settings: Model
    header: ModelHeader
    booster: Any


class Oracle:
    """Computes the expected answers of a catalog for the requests of `inputs`.

    Raises Misconfigured if the catalog or its files are wrong.
    """

    def __init__(self, path: Path, inputs: GameInputs) -> None:
        import lightgbm

        self._catalog: Catalog = catalogs.load(path)
        self._inputs = inputs
        self._offers = catalog_files.offers_of(self._catalog.offers) if self._catalog.offers else None
        self._store = open_store(sqlite_path(self._catalog))
        self._columns = read_columns(self._store)
        self._forests = {
            version: [
                _Forest(model, self._header_of(model), lightgbm.Booster(model_file=model.uri))
                for model in ensemble.models
            ]
            for version, ensemble in self._catalog.versions.items()
        }
        self._votes = lru_cache(CACHED)(self._compute_votes)

    def _header_of(self, model: Model) -> ModelHeader:
        sources = Sources(self._columns, self._catalog.context, self._offers)
        return resolved(catalog_files.header_of(model), sources)

    def scores(self, version: str, missing: Sequence[str], player_id: str) -> dict[str, float]:
        """The combined score of each candidate (of "" in a game without offers) from all models except the `missing`.

        Raises CannotMeasure for a version that is not in the catalog.
        """
        if version not in self._catalog.versions:
            known = ", ".join(self._catalog.versions)
            raise CannotMeasure(
                f"--catalog has no version {version!r}, only {known}; name the catalog file that the mesh serves"
            )
        ensemble = self._catalog.versions[version]
        forests = self._forests[version]
        voted = [place for place, forest in enumerate(forests) if forest.settings.name not in missing]
        weights = [forests[place].settings.weight for place in voted]
        votes = self._votes(version, player_id)
        candidates = candidates_of(self._inputs, player_id) or list(votes)
        rows = [[votes[offer][place] for place in voted] for offer in candidates]
        return dict(zip(candidates, combine(ensemble.combine, rows, weights), strict=True))

    def ranking(self, scores: Mapping[str, float]) -> list[str]:
        """The offers by the rule of the catalog, best first; ties in their order, offers without a price last."""
        rules, table = self._catalog.offers, self._offers
        if rules is None or table is None:
            return list(scores)
        if rules.rank_by == "score" or table.prices is None:
            return sorted(scores, key=lambda offer: -scores[offer])
        revenues = {offer: scores[offer] * table.prices[table.positions[offer]] for offer in scores}
        return sorted(scores, key=lambda offer: math.inf if math.isnan(revenues[offer]) else -revenues[offer])

    def _compute_votes(self, version: str, player_id: str) -> dict[str, list[float]]:
        """The score of every model for every offer, by its id [models]."""
        features, context = self._features_of(player_id), context_of(self._inputs, player_id)
        offers = range(len(self._offers.ids)) if self._offers else (None,)
        values = [{**features, **_offer_values(self._offers, offer), **context} for offer in offers]
        by_model = [_scores(forest, values) for forest in self._forests[version]]
        rows = [list(row) for row in zip(*by_model, strict=True)]
        return dict(zip(self._offers.ids if self._offers else ("",), rows, strict=True))

    def _features_of(self, player_id: str) -> dict[str, Value]:
        player = read_players(self._store, json.dumps([player_id])).get(player_id)
        if player is None:
            return {}
        numbers = np.frombuffer(player.numbers, "<f8").tolist()
        return dict(zip(self._columns.numbers, numbers, strict=True)) | dict(
            zip(self._columns.texts, player.texts, strict=True)
        )


def _offer_values(offers: OffersTable | None, position: int | None) -> dict[str, Value]:
    if offers is None or position is None:
        return {}
    numbers: dict[str, Value] = {name: column[position] for name, column in offers.numbers.items()}
    written = {_WRITTEN + name: column[position] for name, column in offers.spellings.items()}
    return numbers | written | {name: column[position] for name, column in offers.texts.items()}


def _scores(forest: _Forest, values: Sequence[Mapping[str, Value]]) -> list[float]:
    header = forest.header
    rows = [[_cell(header, name, value) for name in header.feature_names] for value in values]
    scores = forest.booster.predict(np.array(rows, dtype=np.float64), num_threads=1)
    column = scores if scores.ndim == 1 else scores[:, forest.settings.class_]
    return [float(score) for score in column]


def _cell(header: ModelHeader, name: str, values: Mapping[str, Value]) -> float:
    value, categories = values.get(name), list[object](header.categories.get(name, ()))
    if name in header.categories:
        if needs_text(categories):
            value, categories = values.get(_WRITTEN + name, value), list(map(str, categories))
        return float(categories.index(value)) if value in categories else float("nan")
    return float("nan") if value is None else float(value)
