"""Start-up: opens the games and waits for replicas; a stop signal ends each of these."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from mesh.first_of import first_of
from supervisor.assembly import pools_of
from supervisor.first_players import has_quorum
from supervisor.game import Game
from supervisor.live_games import LiveGames

POLL_S = 0.02
OTHERS_S = 5.0
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

    A supervisor that listens earlier would answer with the fallback, which looks like a failure. Once each game has a
    version with players that can answer, the others have `OTHERS_S`: one bad version must not keep the games down.
    """
    if within_s <= 0:
        return
    waits = (stop.wait(), _until_none(_without_quorum, games), _until_others_are_late(games))
    if await first_of(*waits, within_s=within_s) in (None, 2):
        _log.warning("no quorum of %s yet; listening without it", ", ".join(_without_quorum(games)))


async def wait_until_ready(games: Mapping[str, Game], within_s: float, stop: asyncio.Event) -> None:
    """Waits until every model has had a lane up or `stop` is set, for at most `within_s`.

    A supervisor that is ready earlier would answer its first requests with the fallback.
    """
    if within_s > 0 and await first_of(stop.wait(), _until_none(_without_lane, games), within_s=within_s) is None:
        missing = ", ".join(_without_lane(games))
        _log.warning("no replica of %s is up after %g s; becoming ready without them", missing, within_s)


async def _until_others_are_late(games: Mapping[str, Game]) -> None:
    await _until_none(_without_served_version, games)
    await asyncio.sleep(OTHERS_S)


async def _until_none(missing: Callable[[Mapping[str, Game]], Sequence[str]], games: Mapping[str, Game]) -> None:
    """Waits until nothing of `games` is `missing`. A new catalog may replace a game, and its pools, in the meantime."""
    while missing(games):  # noqa: ASYNC110 (no event covers the games to come)
        await asyncio.sleep(POLL_S)


def _without_served_version(games: Mapping[str, Game]) -> list[str]:
    return [
        name
        for name, game in games.items()
        if not any(share > 0 and has_quorum(game.ensembles[version]) for version, share in game.traffic.shares.items())
    ]


def _without_quorum(games: Mapping[str, Game]) -> list[str]:
    ensembles = {f"{game}/{one.name}": one for game in games for one in games[game].ensembles.values()}
    return [
        name
        for name, one in ensembles.items()
        if sum(pool.was_up.is_set() for pool in one.panel.pools) < one.rules.version.quorum
    ]


def _without_lane(games: Mapping[str, Game]) -> list[str]:
    return [pool.model.name for pool in pools_of(games) if not pool.was_up.is_set()]
