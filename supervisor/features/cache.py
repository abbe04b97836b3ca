"""Cache of recently read players: it absorbs log-in bursts, and serves stale features when the store fails."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from mesh.errors import Expired, MeshError
from mesh.players.features import Columns, PlayerFeatures
from supervisor.features.port import FeatureStore, StoreMetrics, StoreRead


@dataclass(frozen=True, slots=True)
class CohortFeatures:
    """The players of a cohort, in the requested order; None for a player unknown to the store.

    `stale` holds the positions of players with an old entry, used because the store could not be read. `unread` holds
    the positions of players without a usable entry, each with the reason.
    """

    columns: Columns
    players: tuple[PlayerFeatures | None, ...]
    stale: frozenset[int] = frozenset()
    unread: Mapping[int, MeshError] = field(default_factory=dict)


class _Entry(NamedTuple):
    read_s: float
    features: PlayerFeatures | None


_ReadTask: TypeAlias = "asyncio.Task[StoreRead | MeshError]"


class FeatureCache:
    """A bounded cache in front of a feature store; it evicts the least recently used player.

    An entry is fresh for `ttl_s`. After that it is used only if the store cannot be read, until its age is `stale_ok_s`
    (None: without limit). Concurrent readers of a player share one read, which continues even if its readers are
    cancelled: for up to `timeout_s`, or longer if it probes the store after failures.
    """

    def __init__(
        self,
        store: FeatureStore,
        *,
        ttl_s: float,
        max_players: int,
        timeout_s: float,
        clock: Callable[[], float],
        metrics: StoreMetrics,
        stale_ok_s: float | None = None,
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._stale_ok_s = math.inf if stale_ok_s is None else stale_ok_s
        self._max_players = max_players
        self._timeout_s = timeout_s
        self._clock = clock
        self._metrics = metrics
        self._columns_of_kept = store.columns
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._reads: dict[str, _ReadTask] = {}

    @property
    def columns(self) -> Columns:
        """The columns of the store at its last read."""
        return self._store.columns

    async def read(self, player_ids: Sequence[str], budget_s: float) -> CohortFeatures:
        """Reads the features of `player_ids` within `budget_s`; a failure is part of the result."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + budget_s
        while True:
            columns = self._columns_of_kept
            kept = {player: entry for player in player_ids if (entry := self._touch(player)) is not None}
            fresh = self._not_older(kept, self._ttl_s)
            wanted = [player for player in dict.fromkeys(player_ids) if player not in fresh]
            wait_s = min(self._timeout_s, until_s - loop.time())
            batches, failures = await self._fetch(wanted, wait_s) if wanted else ([], {})
            # A player that was unknown may exist by now, so an entry without features is never stale.
            old = {player: kept[player] for player in failures if player in kept and kept[player].features}
            stale = self._not_older(old, self._stale_ok_s)
            orders = {batch.columns for batch in batches} | ({columns} if fresh or stale else set())
            if len(orders) > 1:  # the columns changed during the read, and their orders must not mix
                continue
            return self._result(player_ids, orders.pop() if orders else columns, fresh, stale, batches, failures)

    async def close(self) -> None:
        """Ends the running reads and closes the store."""
        reads = set(self._reads.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)  # each ends with its cancellation
        await self._store.close()

    def _touch(self, player: str) -> _Entry | None:
        entry = self._kept.get(player)
        if entry is not None:
            self._kept.move_to_end(player)
        return entry

    def _not_older(self, entries: Mapping[str, _Entry], age_s: float) -> dict[str, _Entry]:
        since_s, now_s = self._clock() - age_s, time.time()
        return {
            player: entry
            for player, entry in entries.items()
            if entry.read_s > since_s and not (entry.features and entry.features.has_ended(now_s))
        }

    async def _fetch(self, players: Sequence[str], budget_s: float) -> tuple[list[StoreRead], dict[str, MeshError]]:
        """Reads `players`; returns the batches read and the players that could not be read."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + budget_s
        joined = {self._reads[player] for player in players if player in self._reads}
        reads = self._join_or_start(players)
        await asyncio.wait(set(reads.values()), timeout=max(0.0, budget_s))
        late = [player for player, read in reads.items() if read in joined and _has_expired(read)]
        if late and loop.time() < until_s:  # the joined read had less time left than this one
            reads |= self._join_or_start(late)
            await asyncio.wait({reads[player] for player in late}, timeout=until_s - loop.time())
        batches: dict[_ReadTask, StoreRead] = {}
        failures: dict[str, MeshError] = {}
        for player, read in reads.items():
            outcome = read.result() if read.done() else _expired(budget_s)
            if isinstance(outcome, MeshError):
                failures[player] = outcome
                continue
            batches[read] = outcome
            if player in outcome.unread:
                failures[player] = outcome.unread[player]
        return list(batches.values()), failures

    def _join_or_start(self, players: Sequence[str]) -> dict[str, _ReadTask]:
        """The read of each player: a running one, or one new read for all other players."""
        others = [player for player in players if player not in self._reads]
        if others:
            read = asyncio.create_task(self._read_store(others), name="features")
            self._reads.update(dict.fromkeys(others, read))
        return {player: self._reads[player] for player in players}

    async def _read_store(self, players: Sequence[str]) -> StoreRead | MeshError:
        """Reads `players` and keeps the result.

        Returns a failure, because an exception would have no receiver if every reader is cancelled.
        """
        started_s = self._clock()
        try:
            batch = await self._store.read(players, self._timeout_s)
        except MeshError as failure:
            self._metrics.read(len(players), self._clock() - started_s, failure)
            return failure
        finally:
            for player in players:
                del self._reads[player]
        self._metrics.read(len(players), self._clock() - started_s, None)
        if batch.columns != self._columns_of_kept:
            self._kept.clear()
            self._columns_of_kept = batch.columns
        self._keep({player: batch.players.get(player) for player in players if player not in batch.unread})
        return batch

    def _keep(self, found: Mapping[str, PlayerFeatures | None]) -> None:
        now_s = self._clock()
        for player, features in found.items():
            self._kept[player] = _Entry(now_s, features)
            self._kept.move_to_end(player)
        while len(self._kept) > self._max_players:
            self._kept.popitem(last=False)

    def _result(
        self,
        player_ids: Sequence[str],
        columns: Columns,
        fresh: Mapping[str, _Entry],
        stale: Mapping[str, _Entry],
        batches: Sequence[StoreRead],
        failures: Mapping[str, MeshError],
    ) -> CohortFeatures:
        found: dict[str, PlayerFeatures] = {}
        for batch in batches:
            found.update(batch.players)
        found.update(_known(fresh))
        found.update(_known(stale))
        failed = [(position, player) for position, player in enumerate(player_ids) if player in failures]
        read = CohortFeatures(
            columns,
            tuple(map(found.get, player_ids)),
            frozenset(position for position, player in failed if player in stale),
            {position: failures[player] for position, player in failed if player not in stale},
        )
        self._metrics.served(sum(player in fresh for player in player_ids), len(read.stale), len(read.unread))
        return read


def _expired(budget_s: float) -> Expired:
    return Expired(f"the store did not answer within {budget_s * 1000:.0f} ms")


def _has_expired(read: _ReadTask) -> bool:
    return read.done() and isinstance(read.result(), Expired)


def _known(entries: Mapping[str, _Entry]) -> Iterator[tuple[str, PlayerFeatures]]:
    return ((player, entry.features) for player, entry in entries.items() if entry.features is not None)
