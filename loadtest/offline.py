"""What an ensemble should say: LightGBM's own package on plainly built rows, combined by plain Python.

Shares no code with the supervisor, so that the two can be compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.faults import CannotMeasure
from loadtest.store import sqlite_path
from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog, Combine, Model
from mesh.catalog.offers_table import OffersTable
from mesh.model_file import ModelHeader, read_header
from mesh.players.sqlite import open_store, read_columns, read_players

KEPT = 100_000  # answers remembered, since popular players come again and again

Value = float | str | None


@dataclass(frozen=True, slots=True)
class _Forest:
    settings: Model
    header: ModelHeader
    booster: Any


class Oracle:
    """Answers for one catalog as its mesh should. Raises Misconfigured when the catalog or a file of it is wrong."""

    def __init__(self, path: Path, context: Mapping[str, float | bool | str]) -> None:
        import lightgbm

        self._catalog: Catalog = catalogs.load(path)
        self._context = context
        self._offers = catalog_files.offers_of(self._catalog.offers) if self._catalog.offers else None
        self._forests = {
            version: [
                _Forest(model, read_header(Path(model.uri)), lightgbm.Booster(model_file=model.uri))
                for model in ensemble.models
            ]
            for version, ensemble in self._catalog.versions.items()
        }
        self._store = open_store(sqlite_path(self._catalog))
        self._columns = read_columns(self._store)
        self._votes = lru_cache(KEPT)(self._fresh_votes)

    def scores(self, version: str, missing: Sequence[str], player_id: str) -> dict[str, float]:
        """The combined score of every offer (of "" in a game without offers) from all models but the `missing`.

        Raises CannotMeasure for a version that the catalog does not have.
        """
        if version not in self._catalog.versions:
            known = ", ".join(self._catalog.versions)
            raise CannotMeasure(
                f"--catalog has no version {version!r}, only {known}; give the file that the mesh serves"
            )
        ensemble = self._catalog.versions[version]
        forests = self._forests[version]
        voted = [place for place, forest in enumerate(forests) if forest.settings.name not in missing]
        votes = self._votes(version, player_id)
        weights = [forests[place].settings.weight for place in voted]
        rows = [[row[place] for place in voted] for row in votes]
        combined = combine(ensemble.combine, rows, weights)
        return dict(zip(self._offers.ids if self._offers else ("",), combined, strict=True))

    def ranking(self, scores: Mapping[str, float]) -> list[str]:
        """The offers by the catalog's rule, best first: equals in the table's order, last those without a price."""
        rules, table = self._catalog.offers, self._offers
        if rules is None or table is None:
            return list(scores)
        if rules.rank_by == "score" or table.prices is None:
            return sorted(scores, key=lambda offer: -scores[offer])
        revenues = {offer: scores[offer] * table.prices[table.positions[offer]] for offer in scores}
        return sorted(scores, key=lambda offer: math.inf if math.isnan(revenues[offer]) else -revenues[offer])

    def _fresh_votes(self, version: str, player_id: str) -> list[list[float]]:
        """Every model's score of every offer [offers][models]."""
        features = self._features_of(player_id)
        offers = range(len(self._offers.ids)) if self._offers else (None,)
        values = [{**features, **_offer_values(self._offers, offer), **self._context} for offer in offers]
        by_model = [_scores(forest, values) for forest in self._forests[version]]
        return [list(row) for row in zip(*by_model, strict=True)]

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
    return numbers | {name: column[position] for name, column in offers.texts.items()}


def _scores(forest: _Forest, values: Sequence[Mapping[str, Value]]) -> list[float]:
    header = forest.header
    rows = [[_cell(header, name, value.get(name)) for name in header.feature_names] for value in values]
    scores = forest.booster.predict(np.array(rows, dtype=np.float64), num_threads=1)
    column = scores if scores.ndim == 1 else scores[:, forest.settings.class_]
    return [float(score) for score in column]


def _cell(header: ModelHeader, name: str, value: Value) -> float:
    if name in header.categories:
        categories = header.categories[name]
        return float(categories.index(value)) if value in categories else float("nan")
    return float("nan") if value is None else float(value)


def combine(rule: Combine, rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """One score a row from its models' votes [rows][models]; rank_mean ranks the rows among each other."""
    if rule.kind == "rank_mean":
        return rank_mean(rows)
    of_row: dict[str, Callable[[Sequence[float]], float]] = {
        "mean": mean,
        "weighted_mean": lambda votes: weighted_mean(votes, weights),
        "median": median,
        "trimmed_mean": lambda votes: trimmed_mean(votes, rule.trim),
        "vote": lambda votes: vote(votes, rule.threshold),
    }
    return [of_row[rule.kind](row) for row in rows]


def mean(votes: Sequence[float]) -> float:
    """Their sum, in order, over their number."""
    return _add(votes) / len(votes)


def weighted_mean(votes: Sequence[float], weights: Sequence[float]) -> float:
    """The votes times their weights over the weights."""
    return _add([vote * weight for vote, weight in zip(votes, weights, strict=True)]) / _add(weights)


def median(votes: Sequence[float]) -> float:
    """The middle vote, or the mean of the middle two."""
    ordered, half = sorted(votes), len(votes) // 2
    return ordered[half] if len(votes) % 2 else (ordered[half - 1] + ordered[half]) / 2


def trimmed_mean(votes: Sequence[float], trim: float) -> float:
    """The mean without the share `trim` at each end, rounded down."""
    drop = int(len(votes) * trim)
    return mean(sorted(votes)[drop : len(votes) - drop])


def vote(votes: Sequence[float], threshold: float) -> float:
    """The share of votes that are at least `threshold`."""
    return sum(score >= threshold for score in votes) / len(votes)


def rank_mean(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean place of each row among the rows, 0 to 1, from their votes [rows][models]."""
    by_model = list(zip(*rows, strict=True))
    places = [[_place(score, column) for score in column] for column in by_model]
    return [mean(column) for column in zip(*places, strict=True)]


def _place(score: float, column: Sequence[float]) -> float:
    below = sum(other < score for other in column)
    equal = sum(other == score for other in column)
    return (2 * below + equal - 1) / (2 * max(1, len(column) - 1))


def _add(numbers: Sequence[float]) -> float:
    total = 0.0  # one after the other: Python's own sum() of floats is compensated from 3.12 on
    for number in numbers:
        total += number
    return total
