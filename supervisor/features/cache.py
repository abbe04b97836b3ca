"""Players read a moment ago, so that a log-in burst does not read them again; the safety net when the store fails."""

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
from supervisor.features.port import FeatureBatch, FeatureLog, FeatureStore


@dataclass(frozen=True, slots=True)
class FeatureRead:
    """The players of a cohort, in the order asked: None where the store knows no such player.

    `stale` holds the positions of the players who come from an entry that is not fresh any more, because the store
    could not be read; `unread` those of the players who could not be had at all, each with why.
    """

    columns: Columns
    players: tuple[PlayerFeatures | None, ...]
    stale: frozenset[int] = frozenset()
    unread: Mapping[int, MeshError] = field(default_factory=dict)


class _Entry(NamedTuple):
    read_s: float
    features: PlayerFeatures | None


_Flight: TypeAlias = "asyncio.Task[FeatureBatch | MeshError]"


class FeatureCache:
    """A bounded cache over a feature store, least recently used out first.

    An entry is fresh for `ttl_s`; after that it serves only when the store cannot be read, until it is `stale_ok_s` old
    (None: for ever). A player who is being read is not asked for twice: all who want it wait for the same read, which
    goes on for `timeout_s` whoever leaves.
    """

    def __init__(
        self,
        store: FeatureStore,
        *,
        ttl_s: float,
        max_players: int,
        timeout_s: float,
        clock: Callable[[], float],
        log: FeatureLog,
        stale_ok_s: float | None = None,
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._stale_ok_s = math.inf if stale_ok_s is None else stale_ok_s
        self._max_players = max_players
        self._timeout_s = timeout_s
        self._clock = clock
        self._log = log
        self._columns = store.columns
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._under_way: dict[str, _Flight] = {}

    @property
    def columns(self) -> Columns:
        """The store's columns as of its last read."""
        return self._store.columns

    async def read(self, player_ids: Sequence[str], budget_s: float) -> FeatureRead:
        """The features of `player_ids`, within `budget_s`; what failed comes as a value."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + budget_s
        while True:
            columns = self._columns
            kept = {player: entry for player in player_ids if (entry := self._touch(player)) is not None}
            fresh = self._younger(kept, self._ttl_s)
            wanted = [player for player in dict.fromkeys(player_ids) if player not in fresh]
            wait_s = min(self._timeout_s, until_s - loop.time())
            batches, failures = await self._fetch(wanted, wait_s) if wanted else ([], {})
            # Who was not known then may be by now: only what is known of a player can serve stale.
            old = {player: kept[player] for player in failures if player in kept and kept[player].features}
            stale = self._younger(old, self._stale_ok_s)
            orders = {batch.columns for batch in batches} | ({columns} if fresh or stale else set())
            if len(orders) > 1:  # the columns changed meanwhile, and two orders must not mix
                continue
            return self._told(player_ids, orders.pop() if orders else columns, fresh, stale, batches, failures)

    async def close(self) -> None:
        """Ends the reads under way, and the store."""
        flights = set(self._under_way.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)  # they end by being cancelled
        await self._store.close()

    def _touch(self, player: str) -> _Entry | None:
        entry = self._kept.get(player)
        if entry is not None:
            self._kept.move_to_end(player)
        return entry

    def _younger(self, entries: Mapping[str, _Entry], age_s: float) -> dict[str, _Entry]:
        since_s, now_s = self._clock() - age_s, time.time()
        return {
            player: entry
            for player, entry in entries.items()
            if entry.read_s > since_s and not (entry.features and entry.features.has_ended(now_s))
        }

    async def _fetch(self, players: Sequence[str], budget_s: float) -> tuple[list[FeatureBatch], dict[str, MeshError]]:
        """What was read of `players`, in one or several batches, and who of them was not."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + budget_s
        joined = {self._under_way[player] for player in players if player in self._under_way}
        flights = self._board(players)
        await asyncio.wait(set(flights.values()), timeout=max(0.0, budget_s))
        late = [player for player, flight in flights.items() if flight in joined and _has_expired(flight)]
        if late and loop.time() < until_s:  # the read that they joined had less time left than they have
            flights |= self._board(late)
            await asyncio.wait({flights[player] for player in late}, timeout=until_s - loop.time())
        batches: dict[_Flight, FeatureBatch] = {}
        failures: dict[str, MeshError] = {}
        for player, flight in flights.items():
            ended = flight.result() if flight.done() else Expired(f"the store had {budget_s * 1000:.0f} ms to answer")
            if isinstance(ended, MeshError):
                failures[player] = ended
                continue
            batches[flight] = ended
            if player in ended.unread:
                failures[player] = ended.unread[player]
        return list(batches.values()), failures

    def _board(self, players: Sequence[str]) -> dict[str, _Flight]:
        """The read that brings each player: one under way, or a new one for all the others."""
        waiting = [player for player in players if player not in self._under_way]
        if waiting:
            flight = asyncio.create_task(self._fly(waiting), name="features")
            self._under_way.update(dict.fromkeys(waiting, flight))
        return {player: self._under_way[player] for player in players}

    async def _fly(self, players: Sequence[str]) -> FeatureBatch | MeshError:
        """Reads `players`, and keeps what was found. The failure is a value: nobody may be left who would take it."""
        started_s = self._clock()
        try:
            batch = await self._store.read(players, self._timeout_s)
        except MeshError as failure:
            self._log.read(len(players), self._clock() - started_s, failure)
            return failure
        finally:
            for player in players:
                del self._under_way[player]
        self._log.read(len(players), self._clock() - started_s, None)
        if batch.columns != self._columns:
            self._kept.clear()
            self._columns = batch.columns
        self._keep({player: batch.players.get(player) for player in players if player not in batch.unread})
        return batch

    def _keep(self, found: Mapping[str, PlayerFeatures | None]) -> None:
        now_s = self._clock()
        for player, features in found.items():
            self._kept[player] = _Entry(now_s, features)
            self._kept.move_to_end(player)
        while len(self._kept) > self._max_players:
            self._kept.popitem(last=False)

    def _told(
        self,
        player_ids: Sequence[str],
        columns: Columns,
        fresh: Mapping[str, _Entry],
        stale: Mapping[str, _Entry],
        batches: Sequence[FeatureBatch],
        failures: Mapping[str, MeshError],
    ) -> FeatureRead:
        found: dict[str, PlayerFeatures] = {}
        for batch in batches:
            found.update(batch.players)
        found.update(_known(fresh))
        found.update(_known(stale))
        places = [(place, player) for place, player in enumerate(player_ids) if player in failures]
        read = FeatureRead(
            columns,
            tuple(map(found.get, player_ids)),
            frozenset(place for place, player in places if player in stale),
            {place: failures[player] for place, player in places if player not in stale},
        )
        self._log.served(sum(player in fresh for player in player_ids), len(read.stale), len(read.unread))
        return read


def _has_expired(flight: _Flight) -> bool:
    return flight.done() and isinstance(flight.result(), Expired)


def _known(entries: Mapping[str, _Entry]) -> Iterator[tuple[str, PlayerFeatures]]:
    return ((player, entry.features) for player, entry in entries.items() if entry.features is not None)
