"""Players read a moment ago, so that a log-in burst does not read them again; the safety net when the store fails."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mesh.errors import MeshError
from mesh.player_features import Columns, PlayerFeatures
from supervisor.features.port import FeatureStore


@dataclass(frozen=True, slots=True)
class FeatureRead:
    """The players of a cohort, in the order asked: None where the store knows no such player.

    `failure` says why the store was not read; then `stale` holds the positions of the players who come from an
    entry that is not fresh any more, and `unread` those of the players who were not in the cache at all.
    """

    columns: Columns
    players: tuple[PlayerFeatures | None, ...]
    failure: MeshError | None = None
    stale: frozenset[int] = frozenset()
    unread: frozenset[int] = frozenset()


class FeatureCache:
    """A bounded cache over a feature store, least recently used out first.

    An entry is fresh for `ttl_s`; after that it serves only when the store cannot be read.
    """

    def __init__(
        self,
        store: FeatureStore,
        *,
        ttl_s: float,
        max_players: int,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._max_players = max_players
        self._timeout_s = timeout_s
        self._clock = clock
        self._columns = store.columns
        self._kept: OrderedDict[str, tuple[float, PlayerFeatures | None]] = OrderedDict()

    async def read(self, player_ids: Sequence[str], budget_s: float) -> FeatureRead:
        """The features of `player_ids`, within `budget_s`; the store's failure comes as a value."""
        columns = self._columns
        fresh_since_s = self._clock() - self._ttl_s
        kept = [self._kept.get(player) for player in player_ids]
        stale = {player for player, entry in zip(player_ids, kept, strict=True) if not _is_fresh(entry, fresh_since_s)}
        for player, entry in zip(player_ids, kept, strict=True):
            if entry is not None:
                self._kept.move_to_end(player)
        if not stale:
            return FeatureRead(self._columns, tuple(entry[1] for entry in kept if entry is not None))
        try:
            batch = await self._store.read(list(stale), min(self._timeout_s, budget_s))
        except MeshError as failure:
            return self._stale_read(player_ids, failure, fresh_since_s)
        if batch.columns != self._columns:
            self._kept.clear()
            self._columns = batch.columns
        if batch.columns != columns and stale != set(player_ids):  # the others were kept in the old columns' order
            return await self.read(player_ids, budget_s)
        found = {player: batch.players.get(player) for player in stale}
        players = tuple(
            found[player] if player in found else entry[1] if entry else None
            for player, entry in zip(player_ids, kept, strict=True)
        )
        self._keep(found)
        return FeatureRead(self._columns, players)

    def _keep(self, found: dict[str, PlayerFeatures | None]) -> None:
        now_s = self._clock()
        for player, features in found.items():
            self._kept[player] = (now_s, features)
            self._kept.move_to_end(player)
        while len(self._kept) > self._max_players:
            self._kept.popitem(last=False)

    def _stale_read(self, player_ids: Sequence[str], failure: MeshError, fresh_since_s: float) -> FeatureRead:
        entries = [self._kept.get(player) for player in player_ids]
        old = {position for position, entry in enumerate(entries) if not _is_fresh(entry, fresh_since_s)}
        unread = frozenset(position for position in old if entries[position] is None)
        players = tuple(entry[1] if entry else None for entry in entries)
        return FeatureRead(self._columns, players, failure, stale=frozenset(old - unread), unread=unread)


def _is_fresh(entry: tuple[float, PlayerFeatures | None] | None, since_s: float) -> bool:
    return entry is not None and entry[0] > since_s
