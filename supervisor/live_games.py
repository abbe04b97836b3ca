"""The games of a supervisor, whose catalogs change while it serves (docs/decisions/0015-live-catalog.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Protocol
from weakref import WeakSet

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import unchangeable
from mesh.catalog.shifts import planned_version
from mesh.errors import Misconfigured
from supervisor.discovery.port import Endpoints
from supervisor.first_players import asked_pools, can_wait_alone, is_ready, unready, without_quorum
from supervisor.game import Game
from supervisor.pool import ModelPool

# After the last deadline, a journey of the previous catalog still has this long to end.
SLACK_S = 1.0
POLL_S = 0.05
_log = logging.getLogger("supervisor.catalog")


class CatalogChanges(Protocol):
    """The changes of one game's catalog. `CatalogFile` implements it."""

    def watch(self) -> AsyncIterator[Catalog | Misconfigured]:
        """Yields the catalog, or its faults, after each change."""
        ...


class LiveGames(Mapping[str, Game]):
    """The games in force, by name. `build` makes the game of a new catalog from the one in force.

    A request reads its game once, so one catalog makes its answer.
    """

    def __init__(self, games: Mapping[str, Game], build: Callable[[Catalog, Game], Game]) -> None:
        self._in_force = dict(games)
        self._pending: dict[str, Game] = {}
        self._retiring: list[Game] = []
        self._refused: set[str] = set()
        self._waiting: dict[str, set[str]] = {name: set() for name in games}
        self._known: WeakSet[ModelPool] = WeakSet()  # pools that have scored for players
        self._build = build
        self._on_change: list[Callable[[], None]] = []
        self._endpoints: Endpoints | None = None

    def __getitem__(self, name: str) -> Game:
        return self._in_force[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_force)

    def __len__(self) -> int:
        return len(self._in_force)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Calls `on_change` when a new catalog is in force."""
        self._on_change.append(on_change)

    def is_refused(self, name: str) -> bool:
        """Returns whether the latest catalog of a game has faults, so that the one before is in force."""
        return name in self._refused

    def is_pending(self, name: str) -> bool:
        """Returns whether the latest catalog of a game, or a version of it, waits for replicas."""
        return name in self._pending or bool(self._waiting[name])

    def is_waiting(self, name: str, version: str) -> bool:
        """Returns whether other versions serve the players of `version`, because it waits for replicas."""
        return version in self._waiting[name]

    def models(self) -> list[tuple[str, str, str]]:
        """Returns (game, version, model) of every model of the catalogs that are in force or pending.

        The version of a member is `shared`.
        """
        games = (*self._in_force.values(), *self._pending.values())
        found = {
            (game.catalog.game, pool.model.home(name), pool.model.name): None
            for game in games
            for name, ensemble in game.ensembles.items()
            for pool in ensemble.panel.all_pools
        }
        return list(found)

    def assign(self, endpoints: Endpoints) -> None:
        """Assigns the replicas to the pools of every catalog that is in force or pending."""
        self._endpoints = endpoints
        for game in (*self._in_force.values(), *self._pending.values()):
            _assign(game, endpoints)

    def renew_lanes(self) -> None:
        """Replaces the lanes that were connected before a change of the certificate. Call it after such a change."""
        for pool in set(_pools((*self._in_force.values(), *self._pending.values(), *self._retiring))):
            pool.renew()

    def begin(self) -> None:
        """Gives the players of each version that cannot be served to the others, until it can be served.

        Call it when the start has waited long enough for replicas.
        """
        for game in self._in_force.values():
            self._take_players(game, without_quorum(game))
            self._known.update(asked_pools(game, ()))  # another supervisor may have asked them

    async def follow(self, name: str, changes: CatalogChanges) -> None:
        """Puts each catalog of `changes` in force, until cancelled. A newer catalog replaces a pending one."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_waiting(name))
            replacing: asyncio.Task[None] | None = None
            async for change in changes.watch():
                if replacing is not None:
                    replacing.cancel()
                    await asyncio.wait((replacing,))
                faults = (
                    change.faults
                    if isinstance(change, Misconfigured)
                    else unchangeable(self._in_force[name].catalog, change)
                )
                if faults or isinstance(change, Misconfigured):
                    self._refuse(name, faults)
                else:
                    self._refused.discard(name)
                    replacing = tasks.create_task(self._replace(change, tasks))

    async def close(self) -> None:
        """Closes the pools of all games."""
        games = (*self._in_force.values(), *self._pending.values(), *self._retiring)
        await asyncio.gather(*(pool.close() for pool in set(_pools(games))))

    def _refuse(self, name: str, faults: Iterable[str]) -> None:
        self._refused.add(name)
        for fault in faults:
            _log.error("%s: the new catalog is refused, the one before stays in force: %s", name, fault)

    async def _replace(self, catalog: Catalog, tasks: asyncio.TaskGroup) -> None:
        name = catalog.game
        before = self._in_force[name]
        try:
            game = self._pending[name] = self._build(catalog, before)
        except Exception as error:  # its files changed after the check; the supervisor has a good catalog
            if not isinstance(error, Misconfigured):
                _log.exception("%s: cannot build the game of the new catalog", name)
            self._refuse(name, error.faults if isinstance(error, Misconfigured) else [repr(error)])
            return
        try:
            if self._endpoints is not None:
                _assign(game, self._endpoints)
            waiting = await self._until_it_can_answer(game, before)
            if before.catalog == catalog:  # only the offers are new: a guard may have tripped during the wait
                game.guards.take_over(before.guards.tripped)
            self._in_force[name] = game
            for on_change in self._on_change:
                on_change()
            self._waiting[name] = set()
            self._take_players(game, waiting, before)
            self._known.update(asked_pools(game, waiting))
        finally:
            del self._pending[name]
            if self._in_force[name] is before:  # a newer catalog has come
                await self._close_unused(game)
        _log.info("%s: a new catalog is in force; traffic: %s", name, _shares(game))
        self._retiring.append(before)
        tasks.create_task(self._retire(before))

    async def _retire(self, game: Game) -> None:
        await asyncio.sleep(game.catalog.budget_ms / 1000 + SLACK_S)
        self._retiring.remove(game)
        await self._close_unused(game)

    async def _close_unused(self, game: Game) -> None:
        """Closes the pools of `game` that no other game uses."""
        used = set(_pools((*self._in_force.values(), *self._pending.values(), *self._retiring)))
        await asyncio.gather(*(pool.close() for pool in set(_pools([game])) - used))

    async def _until_it_can_answer(self, game: Game, before: Game) -> frozenset[str]:
        """Waits until each version of `game` can take its first players; returns those that can wait alone."""
        looks, reported = 0, ""
        had_none = self._waiting[game.catalog.game]  # it changes during the wait
        while waiting := unready(game, set(asked_pools(before, had_none)), self._known):
            if can_wait_alone(game, waiting, before, had_none):
                break
            named = ", ".join(_missing(game, waiting))
            if looks * POLL_S >= SLACK_S and named != reported:
                reported = named
                _log.warning("%s: the new catalog waits for replicas of %s", game.catalog.game, named)
            await asyncio.sleep(POLL_S)
            looks += 1
        return waiting

    def _take_players(self, game: Game, versions: Iterable[str], before: Game | None = None) -> None:
        name = game.catalog.game
        for version in versions:
            self._waiting[name].add(version)
            game.traffic.divert(version, before=before.traffic if before else None)
            missing = ", ".join(_missing(game, (version,)))
            _log.warning("%s: other versions serve the players of %s, which waits for %s", name, version, missing)

    async def _watch_waiting(self, name: str) -> None:
        """Gives each waiting version its players when it is ready."""
        while True:
            game = self._in_force[name]
            for version in tuple(self._waiting[name]):
                if is_ready(game.ensembles[version], self._known):
                    game.traffic.restore(version)
                    self._waiting[name].discard(version)
                    self._known.update(game.ensembles[version].panel.pools)
                    _log.info("%s: version %s has its players; traffic: %s", name, version, _shares(game))
            await asyncio.sleep(POLL_S)


def _missing(game: Game, versions: Iterable[str]) -> Iterator[str]:
    """Yields the models of `versions` that no replica serves."""
    for version in sorted(versions):
        for pool in game.ensembles[version].panel.pools:
            if not pool.is_up:
                yield f"{version}/{pool.model.name}"


def _assign(game: Game, endpoints: Endpoints) -> None:
    for version, ensemble in game.ensembles.items():
        for pool in ensemble.panel.all_pools:
            pool.assign(endpoints.that_serve(game.catalog.game, pool.model.home(version), pool.model))


def _pools(games: Iterable[Game]) -> Iterator[ModelPool]:
    for game in games:
        for ensemble in game.ensembles.values():
            yield from ensemble.panel.all_pools


def _shares(game: Game) -> str:
    shares = ", ".join(f"{name} {share:g} %" for name, share in game.traffic.shares.items())
    planned = planned_version(game.catalog.versions)
    return f"{shares}; the rollout of {planned[0]} changes it" if planned is not None else shares
