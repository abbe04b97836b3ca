"""Builds the parts of the supervisor: catalogs, discovery, and games with their stores, ensembles and pools."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model, Version
from mesh.players.settings import Features, SqliteFeatures
from supervisor.answers import AnswerRules
from supervisor.backlog import RowCount
from supervisor.callers.game_callers import GameCallers
from supervisor.callers.ports import Ports
from supervisor.connect_gate import ConnectGate
from supervisor.decisions.logs import DecisionLogs
from supervisor.discovery.dns import HeadlessServices, Models
from supervisor.discovery.file import EndpointsFile
from supervisor.discovery.port import Discovery
from supervisor.drift.tap import open_drift_taps
from supervisor.ensemble import Ensemble
from supervisor.exploration import exploration_of
from supervisor.features.cache import FeatureCache
from supervisor.features.port import FeatureStore, StoreMetrics
from supervisor.features.sqlite import SqliteStore
from supervisor.game import Game
from supervisor.guards import Guards
from supervisor.lane_channels import LaneChannels
from supervisor.live_games import LiveGames
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.panel import Panel
from supervisor.panels import panels_of, planner_of
from supervisor.party import VersionParts
from supervisor.pool import ModelPool
from supervisor.ranking import Ranking
from supervisor.rows import RowPlanner
from supervisor.settings import Settings
from supervisor.shadow.sample import SampleQueue
from supervisor.shadow.tap import open_taps
from supervisor.traffic import Traffic
from supervisor.version_group import group_versions

if TYPE_CHECKING:
    from mesh.tls.live import LiveTls


def open_discovery(settings: Settings, games: Sequence[str], models: Callable[[], Models]) -> Discovery | None:
    """Returns the discovery that `settings` select, or None; raises Misconfigured if it cannot work here.

    `models` returns the models of all `games` at the time of the call.
    """
    if settings.endpoints is not None:
        return EndpointsFile(settings.endpoints)
    if settings.dns is not None:
        return HeadlessServices(models, settings.dns)
    if settings.endpoint_slices is None:
        return None
    from supervisor.discovery.endpoint_slices import EndpointSlices  # here, because only this one imports aiohttp
    from supervisor.discovery.service_account import read_service_account

    account = read_service_account(settings.endpoint_slices, os.environ)
    return EndpointSlices(account, games)


@contextlib.asynccontextmanager
async def open_games(
    catalogs: Iterable[Catalog],
    starvation: MachineStarvation,
    metrics: Metrics,
    samples: SampleQueue | None = None,
    logs: DecisionLogs | None = None,
    tls: LiveTls | None = None,
    ports: Ports | None = None,
) -> AsyncIterator[LiveGames]:
    """Yields the games of `catalogs`, with open stores; closes their lanes and stores after the block.

    `samples` receives the requests that shadows score; None: the shadows of the catalogs are ignored. So are their
    decision logs without `logs`. Without `tls`, the lanes are plaintext. `ports` must suit the
    callers of each catalog; None: they are not checked.
    """
    async with contextlib.AsyncExitStack() as stack:
        stores: dict[str, FeatureCache] = {}
        gate, channels = ConnectGate(), dict[str, LaneChannels]()
        for catalog in catalogs:
            store_metrics = metrics.of_features(catalog.game)
            store = await stack.enter_async_context(open_feature_store(catalog.features, store_metrics))
            stores[catalog.game] = open_cache(catalog.features, store, store_metrics)
            stack.push_async_callback(stores[catalog.game].close)
            channels[catalog.game] = LaneChannels(tls, catalog.tls.worker_of(catalog.game))

        def build(catalog: Catalog, before: Game | None) -> Game:
            if ports is not None:
                ports.check(catalog)
            store, lanes = stores[catalog.game], channels[catalog.game]
            return build_game(catalog, store, starvation, metrics, gate, before, samples, logs, lanes)

        games = LiveGames({catalog.game: build(catalog, None) for catalog in catalogs}, build)
        if tls is not None:
            tls.subscribe(games.renew_lanes)
        stack.push_async_callback(games.close)
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


def build_game(
    catalog: Catalog,
    features: FeatureCache,
    starvation: MachineStarvation,
    metrics: Metrics,
    gate: ConnectGate,
    before: Game | None = None,
    samples: SampleQueue | None = None,
    logs: DecisionLogs | None = None,
    channels: LaneChannels | None = None,
) -> Game:
    """A game with its ensembles. Its new pools have no replicas yet; the others are those of the game `before` it.

    All games share `gate`, `samples` and `logs`. `channels` opens the channels to its replicas.
    """
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    ranking = Ranking(offers, catalog.offers.rank_by == "expected_revenue") if catalog.offers and offers else None
    sources = Sources(features.columns, catalog.context, offers)
    known = before if before and (before.catalog.context, before.offers) == (catalog.context, offers) else None
    planner = planner_of(known) or RowPlanner(sources)

    def new_pool(model: Model, models: int) -> ModelPool:
        return ModelPool(model, planner, features.columns, starvation, models, gate, channels=channels)

    panels = panels_of(catalog, sources, new_pool, known)
    taps = open_taps(catalog, panels, ranking, metrics.shadows, samples) if samples is not None else {}
    recorders = logs.recorders(catalog, offers, panels) if logs is not None else {}
    outcomes = logs.of(catalog.game).recorder if recorders and logs is not None else None
    drift = open_drift_taps(catalog, panels, sources, before)
    traffic = Traffic(catalog)
    guards = _open_guards(catalog, traffic, panels, before)

    def parts_of(name: str, version: Version) -> VersionParts:
        rules, exploration = AnswerRules(catalog, version, ranking), exploration_of(catalog, version, ranking)
        answers, recorder = guards.watch(name, metrics.of(catalog.game, name)), recorders.get(name)
        present = tuple(tap for tap in (taps.get(name), drift.get(name), recorder) if tap is not None)
        return VersionParts(panels[name], rules, answers, RowCount(), present, exploration, recorder)

    ensembles = _routed({name: parts_of(name, version) for name, version in catalog.versions.items()}, features)
    return Game(catalog, offers, ensembles, traffic, guards, outcomes, _callers(catalog, metrics, before))


def _callers(catalog: Catalog, metrics: Metrics, before: Game | None) -> GameCallers | None:
    if catalog.callers is None:
        return None
    return GameCallers(catalog.game, catalog.callers, metrics.callers, before.callers if before else None)


def _routed(versions: Mapping[str, VersionParts], features: FeatureCache) -> dict[str, Ensemble]:
    """The ensemble of each version, with the route of its cohorts; versions that share models have one route."""
    routes = {name: group for group in group_versions(versions, features) for name in group.versions}
    for group in dict.fromkeys(routes.values()):
        for pool in group.pools:
            pool.deal_with(len(group.pools))
    return {name: Ensemble(name, parts, routes[name]) for name, parts in versions.items()}


def _open_guards(catalog: Catalog, traffic: Traffic, panels: Mapping[str, Panel], before: Game | None) -> Guards:
    """The guards of a catalog. A guard stays tripped if the catalog before is equal: only the offers have changed."""

    def has_quorum(version: str) -> bool:
        return sum(pool.is_up for pool in panels[version].pools) >= catalog.versions[version].quorum

    tripped = before.guards.tripped if before is not None and before.catalog == catalog else {}
    return Guards(catalog, traffic, has_quorum, tripped)
