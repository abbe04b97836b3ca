"""The games of a supervisor, whose catalogs change while it serves (docs/decisions/0015-live-catalog.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Protocol

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import unchangeable
from mesh.errors import Misconfigured
from supervisor.discovery.port import Endpoints
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
        self._build = build
        self._endpoints: Endpoints | None = None

    def __getitem__(self, name: str) -> Game:
        return self._in_force[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_force)

    def __len__(self) -> int:
        return len(self._in_force)

    def is_refused(self, name: str) -> bool:
        """Returns whether the latest catalog of a game has faults, so that the one before is in force."""
        return name in self._refused

    def is_pending(self, name: str) -> bool:
        """Returns whether the latest catalog of a game waits for the replicas of a version with traffic."""
        return name in self._pending

    def models(self) -> list[tuple[str, str, str]]:
        """Returns (game, version, model) of every model of the catalogs that are in force or pending."""
        games = (*self._in_force.values(), *self._pending.values())
        found = {
            (game.catalog.game, name, pool.model.name): None
            for game in games
            for name, ensemble in game.ensembles.items()
            for pool in ensemble.panel.pools
        }
        return list(found)

    def assign(self, endpoints: Endpoints) -> None:
        """Assigns the replicas to the pools of every catalog that is in force or pending."""
        self._endpoints = endpoints
        for game in (*self._in_force.values(), *self._pending.values()):
            _assign(game, endpoints)

    async def follow(self, name: str, changes: CatalogChanges) -> None:
        """Puts each catalog of `changes` in force, until cancelled. A newer catalog replaces a pending one."""
        async with asyncio.TaskGroup() as tasks:
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
        await asyncio.gather(*(pool.close() for pool in _pools(games)))

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
            await _until_it_can_answer(game, before)
            self._in_force[name] = game
            _want_files(game)
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


async def _until_it_can_answer(game: Game, before: Game) -> None:
    """Waits until every model of each version that gets its first traffic is up."""
    looks, reported = 0, ""
    while missing := [f"{name}/{pool.model.name}" for name, pool in _first_asked(game, before) if not pool.is_up]:
        named = ", ".join(missing)
        if looks * POLL_S >= SLACK_S and named != reported:
            reported = named
            _log.warning("%s: the new catalog waits for replicas of %s", game.catalog.game, named)
        await asyncio.sleep(POLL_S)
        looks += 1


def _first_asked(game: Game, before: Game) -> Iterator[tuple[str, ModelPool]]:
    """Yields the pools, with their version, that players of `game` use and players of `before` did not."""
    asked = {
        pool
        for name, ensemble in before.ensembles.items()
        if name in before.traffic.expected
        for pool in ensemble.panel.pools
    }
    for name, ensemble in game.ensembles.items():
        for pool in ensemble.panel.pools:
            if name in game.traffic.expected and pool not in asked:
                yield name, pool


def _assign(game: Game, endpoints: Endpoints) -> None:
    for version, ensemble in game.ensembles.items():
        for pool in ensemble.panel.pools:
            pool.assign(endpoints.that_serve(game.catalog.game, version, pool.model))


def _want_files(game: Game) -> None:
    """Tells the pools, which the catalog before may have used as well, which model files its catalog wants."""
    for name, ensemble in game.ensembles.items():
        models = {model.name: model for model in game.catalog.versions[name].models}
        for pool in ensemble.panel.pools:
            pool.want(models[pool.model.name])


def _pools(games: Iterable[Game]) -> Iterator[ModelPool]:
    for game in games:
        for ensemble in game.ensembles.values():
            yield from ensemble.panel.pools


def _shares(game: Game) -> str:
    return ", ".join(f"{name} {share:g} %" for name, share in game.traffic.shares.items())
