"""Start-up: opens the games and waits for replicas; a stop signal ends each of these."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice

from mesh.first_of import first_of
from supervisor.ensemble import Ensemble
from supervisor.game import Game
from supervisor.live_games import LiveGames
from supervisor.pool import ModelPool

_log = logging.getLogger("supervisor")


@contextlib.asynccontextmanager
async def open_or_stop(
    opening: contextlib.AbstractAsyncContextManager[LiveGames], stop: asyncio.Event
) -> AsyncIterator[LiveGames | None]:
    """Yields the games of `opening`; None if `stop` is set first, while a table does not answer."""
    games: LiveGames | None = None
    async with contextlib.AsyncExitStack() as stack:

        async def enter() -> None:
            nonlocal games
            games = await stack.enter_async_context(opening)

        await first_of(enter(), stop.wait())
        yield games


async def wait_for_quorums(games: Mapping[str, Game], within_s: float, stop: asyncio.Event) -> None:
    """Waits until each version has had lanes to its quorum of models, or `stop` is set, for at most `within_s`.

    A supervisor that listens earlier would answer with the fallback, which looks like a failure.
    """
    ensembles = {f"{game}/{one.name}": one for game in games for one in games[game].ensembles.values()}
    if within_s > 0 and await first_of(stop.wait(), _all_quorums(ensembles.values()), within_s=within_s) is None:
        missing = [name for name, one in ensembles.items() if _ups(one) < one.rules.version.quorum]
        _log.warning("no quorum of %s after %g s; listening without it", ", ".join(missing), within_s)


async def _all_quorums(ensembles: Iterable[Ensemble]) -> None:
    for ensemble in ensembles:
        await _quorum(ensemble)


async def _quorum(ensemble: Ensemble) -> None:
    tasks = [asyncio.ensure_future(pool.was_up.wait()) for pool in ensemble.panel.pools]
    try:
        for earliest in islice(asyncio.as_completed(tasks), ensemble.rules.version.quorum):
            await earliest
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ups(ensemble: Ensemble) -> int:
    return sum(pool.was_up.is_set() for pool in ensemble.panel.pools)


async def wait_until_ready(pools: Sequence[ModelPool], within_s: float, stop: asyncio.Event) -> None:
    """Waits until every pool has had a lane up or `stop` is set, for at most `within_s`.

    A supervisor that is ready earlier would answer its first requests with the fallback.
    """
    if within_s <= 0:
        return
    if await first_of(stop.wait(), _all_up(pools), within_s=within_s) is None:
        missing = [pool.model.name for pool in pools if not pool.was_up.is_set()]
        _log.warning("no replica of %s is up after %g s; becoming ready without them", ", ".join(missing), within_s)


async def _all_up(pools: Sequence[ModelPool]) -> None:
    for pool in pools:
        await pool.was_up.wait()
