"""Builds the parts of the supervisor: catalogs, discovery, and games with their stores, ensembles and pools."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog, read
from mesh.catalog.sources import Sources
from mesh.errors import Misconfigured
from mesh.players.settings import Features, SqliteFeatures
from supervisor.answers import AnswerRules
from supervisor.backlog import Backlog
from supervisor.discovery.dns import HeadlessServices
from supervisor.discovery.file import EndpointsFile
from supervisor.discovery.port import Discovery
from supervisor.ensemble import Ensemble
from supervisor.features.cache import FeatureCache
from supervisor.features.port import FeatureStore, StoreMetrics
from supervisor.features.sqlite import SqliteStore
from supervisor.game import Game
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.panel import Panel
from supervisor.pool import ModelPool
from supervisor.ranking import Ranking
from supervisor.rows import RowPlanner
from supervisor.settings import Settings


def load_catalogs(paths: Sequence[Path], files: Path | None = None) -> list[Catalog]:
    """Reads every catalog; its relative paths are relative to `files`, or to its own folder.

    Raises Misconfigured with the faults of all catalogs.
    """
    catalogs: dict[str, Catalog] = {}
    faults: list[str] = []
    for path in paths:
        draft = read(path, files)
        # Models may be on other machines: the local ones are checked here, and the replicas check the others.
        faults += map(str, (*draft.faults, *catalog_files.faults(draft, models_elsewhere=True)))
        catalog = draft.catalog
        if catalog is None:
            continue
        if catalog.game in catalogs:
            faults.append(f"{path}: game {catalog.game!r} is in another catalog too; give each game one catalog")
        catalogs[catalog.game] = catalog
    if faults:
        raise Misconfigured(faults)
    return list(catalogs.values())


def open_discovery(settings: Settings, catalogs: Sequence[Catalog]) -> Discovery | None:
    """Returns the discovery that `settings` select, or None; raises Misconfigured if it cannot work here."""
    if settings.endpoints is not None:
        return EndpointsFile(settings.endpoints)
    if settings.dns is not None:
        return HeadlessServices([model for catalog in catalogs for model in _models(catalog)], settings.dns)
    if settings.endpoint_slices is None:
        return None
    from supervisor.discovery.endpoint_slices import EndpointSlices  # here, because only this one imports aiohttp
    from supervisor.discovery.service_account import read_service_account

    account = read_service_account(settings.endpoint_slices, os.environ)
    return EndpointSlices(account, [catalog.game for catalog in catalogs])


@contextlib.asynccontextmanager
async def open_games(
    catalogs: Sequence[Catalog], starvation: MachineStarvation, metrics: Metrics
) -> AsyncIterator[Mapping[str, Game]]:
    """Yields the games of `catalogs` by name, with open stores; closes their lanes and stores after the block."""
    async with contextlib.AsyncExitStack() as stack:
        games: dict[str, Game] = {}
        for catalog in catalogs:
            store_metrics = metrics.of_features(catalog.game)
            store = await stack.enter_async_context(open_feature_store(catalog.features, store_metrics))
            features = open_cache(catalog.features, store, store_metrics)
            stack.push_async_callback(features.close)
            game = games[catalog.game] = build_game(catalog, features, starvation, metrics)
            for pool in pools_of({catalog.game: game}):
                stack.push_async_callback(pool.close)
        yield games


def pools_of(games: Mapping[str, Game]) -> list[ModelPool]:
    """The pools of all models."""
    ensembles = (ensemble for game in games.values() for ensemble in game.ensembles.values())
    return [pool for ensemble in ensembles for pool in ensemble.panel.pools]


@contextlib.asynccontextmanager
async def open_feature_store(features: Features, metrics: StoreMetrics) -> AsyncIterator[FeatureStore]:
    """Yields the feature store of a catalog; raises Misconfigured if it cannot be read."""
    if isinstance(features, SqliteFeatures):
        yield SqliteStore(Path(features.path))  # the cache closes it
        return
    from supervisor.features.dynamodb import open_dynamo_store  # here, because only this store imports aiobotocore

    async with open_dynamo_store(features, metrics) as store:
        yield store


def open_cache(features: Features, store: FeatureStore, metrics: StoreMetrics) -> FeatureCache:
    """The cache in front of `store`."""
    return FeatureCache(
        store,
        ttl_s=features.cache_ttl_s,
        max_players=features.cache_players,
        timeout_s=features.timeout_ms / 1000,
        clock=time.monotonic,
        metrics=metrics,
        stale_ok_s=features.stale_ok_s,
    )


def build_game(catalog: Catalog, features: FeatureCache, starvation: MachineStarvation, metrics: Metrics) -> Game:
    """A game with its ensembles; their pools have no replicas yet."""
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    ranking = Ranking(offers, catalog.offers.rank_by == "expected_revenue") if catalog.offers and offers else None
    planner = RowPlanner(Sources(features.columns, catalog.context, offers))
    panels = {
        name: Panel(
            tuple(
                ModelPool(model, planner, features.columns, starvation, len(version.models)) for model in version.models
            )
        )
        for name, version in catalog.versions.items()
    }
    ensembles = {
        name: Ensemble(
            name=name,
            panel=panels[name],
            backlog=Backlog(panels[name].pools, version.quorum),
            features=features,
            rules=AnswerRules(catalog, version, ranking),
            metrics=metrics.of(catalog.game, name),
        )
        for name, version in catalog.versions.items()
    }
    return Game(catalog, offers, ensembles)


def _models(catalog: Catalog) -> list[tuple[str, str, str]]:
    return [(catalog.game, name, model.name) for name, version in catalog.versions.items() for model in version.models]
