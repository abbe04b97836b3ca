"""The expected answers of an ensemble: LightGBM's package on rows built in plain Python, combined in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources, resolved
from mesh.catalog.version import Model
from mesh.errors import Misconfigured
from mesh.model_file import ModelHeader
from mesh.reference import boosters
from mesh.reference.combination import combine
from mesh.reference.players import Players
from mesh.reference.ranking import ranked, ranking_keys
from mesh.reference.values import Value, offer_values, row_of

CACHED = 100_000  # votes of popular players, who are asked for many times

ContextOf = Callable[[str], Mapping[str, Value]]
CandidatesOf = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Forest:
    settings: Model
    header: ModelHeader
    booster: Any


class Oracle:
    """Computes the expected answers of a catalog whose models are on this machine.

    `context_of` returns the context of a player's request, and `candidates_of` its candidates (none: all offers).
    `versions` are the versions to load; None: all. Raises Misconfigured or BadModel if their files are wrong.
    """

    def __init__(
        self,
        catalog: Catalog,
        players: Players,
        context_of: ContextOf,
        candidates_of: CandidatesOf = lambda _: (),
        versions: Sequence[str] | None = None,
    ) -> None:
        self._catalog = catalog
        self._players = players
        self._context_of = context_of
        self._candidates_of = candidates_of
        self._offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
        self._forests = {version: self._load(version) for version in versions or catalog.versions}
        self._votes = lru_cache(CACHED)(self._compute_votes)

    def scores(self, version: str, missing: Sequence[str], player_id: str) -> dict[str, float]:
        """The combined score of each candidate (of "" in a game without offers) from all models except the `missing`.

        Raises Misconfigured for a version that is not loaded.
        """
        if version not in self._forests:
            known = ", ".join(self._forests)
            problem = f"the catalog has no version {version!r}, only {known}"
            raise Misconfigured([f"{problem}; name the catalog file that the mesh serves"])
        forests = self._forests[version]
        voted = [place for place, forest in enumerate(forests) if forest.settings.name not in missing]
        weights = [forests[place].settings.weight for place in voted]
        votes = self._votes(version, player_id)
        candidates = self._candidates_of(player_id) or list(votes)
        rows = [[votes[offer][place] for place in voted] for offer in candidates]
        return dict(zip(candidates, combine(self._catalog.versions[version].combine, rows, weights), strict=True))

    def ranking(self, scores: Mapping[str, float]) -> list[str]:
        """The offers by the rule of the catalog, best first; ties in their order, offers without a price last."""
        rules, table = self._catalog.offers, self._offers
        if rules is None or table is None:
            return list(scores)
        offers = list(scores)
        prices = None if table.prices is None else [table.prices[table.positions[offer]] for offer in offers]
        return [offers[at] for at in ranked(ranking_keys(list(scores.values()), prices, rules.rank_by))]

    def _load(self, version: str) -> list[_Forest]:
        models = self._catalog.versions[version].voters
        return [_Forest(model, self._header_of(model), boosters.load(model.uri)) for model in models]

    def _header_of(self, model: Model) -> ModelHeader:
        sources = Sources(self._players.columns, self._catalog.context, self._offers)
        return resolved(catalog_files.header_of(model), sources)

    def _compute_votes(self, version: str, player_id: str) -> dict[str, list[float]]:
        """The score of every model for every offer, by its id [models]."""
        features, context = self._players.features_of(player_id), self._context_of(player_id)
        offers = range(len(self._offers.ids)) if self._offers else (None,)
        values = [{**features, **offer_values(self._offers, offer), **context} for offer in offers]
        by_model = [_scores(forest, values) for forest in self._forests[version]]
        rows = [list(row) for row in zip(*by_model, strict=True)]
        return dict(zip(self._offers.ids if self._offers else ("",), rows, strict=True))


def _scores(forest: _Forest, values: Sequence[Mapping[str, Value]]) -> list[float]:
    rows = [row_of(forest.header, one) for one in values]
    return [scores[forest.settings.class_ or 0] for scores in boosters.predict(forest.booster, rows)]
