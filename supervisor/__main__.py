"""`python -m supervisor`: the composition root, from the command line to the last answer."""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":
    # Before the other imports, which take half a second: as process 1 of a container it would not hear a SIGTERM until
    # it has a handler, and elsewhere end by it, as if it had failed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh import serving, telemetry
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog, read
from mesh.catalog.sources import Sources
from mesh.errors import Misconfigured
from mesh.first_of import first_of
from mesh.metrics_endpoint import metrics_endpoint
from mesh.players.settings import Features, SqliteFeatures
from mesh.starvation import CpuStarvation
from supervisor import settings as command_line
from supervisor.answers import Answers
from supervisor.cohort import Cohorts
from supervisor.cpu_starvation import MachineStarvation
from supervisor.discovery.opening import follow, open_discovery
from supervisor.discovery.port import Discovery
from supervisor.door import aging, listening
from supervisor.ensemble import Ensemble
from supervisor.features.cache import FeatureCache
from supervisor.features.port import FeatureLog, FeatureStore
from supervisor.features.sqlite import SqliteStore
from supervisor.game import Game
from supervisor.metrics import Metrics, StateOnDemand
from supervisor.panel import Panel
from supervisor.pool import ModelPool
from supervisor.ranking import Ranking
from supervisor.readiness import stopped_before_ready
from supervisor.rows import RowPlanner
from supervisor.service import OffersService
from supervisor.settings import Settings

MISCONFIGURED = 2


def main(arguments: Sequence[str]) -> int:
    try:
        settings = command_line.parse(arguments)
        telemetry.log_to_stderr(settings.log_level)
        if settings.follow_parent:
            serving.follow_parent()
        return serving.run(serve(settings), settings.loop)
    except* Misconfigured as errors:  # a group, where it was found inside a task group
        print(*faults_in(errors), sep="\n", file=sys.stderr)
    return MISCONFIGURED


def faults_in(errors: ExceptionGroup[Misconfigured]) -> Iterator[str]:
    """Every fault of a group of errors and of the groups in it."""
    for error in errors.exceptions:
        yield from faults_in(error) if isinstance(error, ExceptionGroup) else error.faults


async def serve(settings: Settings) -> int:
    """Serves until told to stop; raises Misconfigured before it has begun."""
    starvation, metrics = MachineStarvation(CpuStarvation().share), Metrics()
    catalogs = load_catalogs(settings.catalogs, settings.files)
    discovery = open_discovery(settings, catalogs)
    # Left in reverse: first the last answers, then the journeys, the lanes and the stores that they need.
    async with (
        serving.stop_signal() as stop,
        unless_stopped(open_games(catalogs, starvation, metrics), stop) as games,
        watching(*watchers(discovery, games, metrics)),
        asyncio.TaskGroup() as journeys,
    ):
        if stop.is_set():
            return 0
        cohorts = Cohorts(journeys, starvation, settings.max_waiting)
        state = StateOnDemand(games, lambda: cohorts.under_way, cohorts.waiting, starvation.share)
        metrics.registry.register(state)
        async with metrics_endpoint(metrics.exposition, settings.metrics_host, settings.metrics_port) as metrics_port:
            service = OffersService(games, cohorts, settings.max_connection_age_s)
            async with listening(settings, service, aging(settings, catalogs)) as door:
                if await stopped_before_ready(pools_of(games), settings.ready_within_s, stop):
                    return 0
                await door.health.set_serving(True)
                serving.settle_heap()
                announce(settings, door.port, metrics_port)
                await stop.wait()
    return 0


@contextlib.asynccontextmanager
async def unless_stopped(
    opening: contextlib.AbstractAsyncContextManager[Mapping[str, Game]], stop: asyncio.Event
) -> AsyncIterator[Mapping[str, Game]]:
    """What `opening` opens; nothing when `stop` comes before a table has told its columns."""
    games: Mapping[str, Game] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def enter() -> None:
            nonlocal games
            games = await stack.enter_async_context(opening)

        await first_of(enter(), stop.wait())
        yield games


def load_catalogs(paths: Sequence[Path], files: Path | None = None) -> list[Catalog]:
    """Every catalog, its relative paths of `files` or of its own folder; raises Misconfigured with all faults."""
    catalogs: dict[str, Catalog] = {}
    faults: list[str] = []
    for path in paths:
        draft = read(path, files)
        # The models may be on other machines: those that are here are checked now, the others by their replicas.
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


@contextlib.asynccontextmanager
async def open_games(
    catalogs: Sequence[Catalog], starvation: MachineStarvation, metrics: Metrics
) -> AsyncIterator[Mapping[str, Game]]:
    """The games of `catalogs`, their stores open; at the end of the block lanes and stores are closed."""
    async with contextlib.AsyncExitStack() as stack:
        games = {}
        for catalog in catalogs:
            log = metrics.of_features(catalog.game)
            store = await stack.enter_async_context(open_feature_store(catalog.features, log))
            features = open_cache(catalog.features, store, log)
            stack.push_async_callback(features.close)
            game = games[catalog.game] = build_game(catalog, features, starvation, metrics)
            for pool in pools_of({catalog.game: game}):
                stack.push_async_callback(pool.close)
        yield games


def pools_of(games: Mapping[str, Game]) -> list[ModelPool]:
    """The pool of every model."""
    ensembles = (ensemble for game in games.values() for ensemble in game.ensembles.values())
    return [pool for ensemble in ensembles for pool in ensemble.panel.pools]


@contextlib.asynccontextmanager
async def open_feature_store(features: Features, log: FeatureLog) -> AsyncIterator[FeatureStore]:
    """The store that the catalog names; raises Misconfigured when it cannot be read."""
    if isinstance(features, SqliteFeatures):
        yield SqliteStore(Path(features.path))  # closed with the cache before it
        return
    from supervisor.features.dynamodb import open_dynamo_store  # aiobotocore, which only this store needs

    async with open_dynamo_store(features, log) as store:
        yield store


def open_cache(features: Features, store: FeatureStore, log: FeatureLog) -> FeatureCache:
    """The cache before `store`."""
    return FeatureCache(
        store,
        ttl_s=features.cache_ttl_s,
        max_players=features.cache_players,
        timeout_s=features.timeout_ms / 1000,
        clock=time.monotonic,
        log=log,
        stale_ok_s=features.stale_ok_s,
    )


def build_game(catalog: Catalog, features: FeatureCache, starvation: MachineStarvation, metrics: Metrics) -> Game:
    """A game and its ensembles, not connected to any replica yet."""
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    ranking = Ranking(offers, catalog.offers.rank_by == "expected_revenue") if catalog.offers and offers else None
    planner = RowPlanner(Sources(features.columns, catalog.context, offers))
    ensembles = {
        name: Ensemble(
            name=name,
            panel=Panel(
                tuple(ModelPool(model, planner, features.columns, starvation.report) for model in version.models)
            ),
            features=features,
            answers=Answers(catalog, version, ranking),
            log=metrics.of(catalog.game, name),
        )
        for name, version in catalog.versions.items()
    }
    return Game(catalog, offers, ensembles)


def watchers(
    discovery: Discovery | None, games: Mapping[str, Game], metrics: Metrics
) -> Iterator[Coroutine[Any, Any, None]]:
    """What runs beside the answering."""
    yield telemetry.watch_loop_lag(metrics.loop_lag)
    if discovery is not None:
        yield follow(discovery, games)


@contextlib.asynccontextmanager
async def watching(*watchers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `watchers`, which never end by themselves, for as long as the block lasts; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watcher) for watcher in watchers]
        yield
        for task in tasks:
            task.cancel()


def announce(settings: Settings, port: int, metrics_port: int) -> None:
    """The one line on stdout, for whoever started this process."""
    ready = {
        "event": "ready",
        "address": f"{settings.host}:{port}",
        "metrics": f"{settings.metrics_host}:{metrics_port}",
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
