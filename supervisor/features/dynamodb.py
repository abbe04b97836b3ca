"""The feature store of a cluster: a DynamoDB table, one batch of distinct keys for each read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mesh.errors import MeshError, Misconfigured, Unavailable
from mesh.players.dynamodb.attributes import Item, WrongItem
from mesh.players.dynamodb.client import Reader, open_reader
from mesh.players.dynamodb.faults import REQUEST_ERRORS, is_final, told_of
from mesh.players.dynamodb.layouts import Layout, layout_of
from mesh.players.dynamodb.schema import SCHEMA_KEY, columns_hash, columns_in, hash_in
from mesh.players.dynamodb.table import MAX_KEYS, can_be_known, end_of, read_table_columns
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures
from supervisor.features.batch_read import Leg, ask
from supervisor.features.breaker import Breaker
from supervisor.features.port import FeatureBatch, FeatureLog

OPEN_LIMIT_S = 20.0
OPEN_AGAIN_S = 0.5
FIRST_READ_S = 5.0
PROBE_S = 1.0
# How soon a change of the columns is noticed where the items do not tell it themselves.
COLUMNS_EVERY_S = 10.0
# Players that an earlier load has left behind must not double the reads for ever.
LOOK_AGAIN_S = 0.2

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_dynamo_store(features: DynamoFeatures, log: FeatureLog) -> AsyncIterator[DynamoStore]:
    """The store of the table, the way to it open and its columns known, for as long as the block lasts.

    Raises Misconfigured when there is no such table, it may not be read, or does not answer for `OPEN_LIMIT_S`.
    """
    async with open_reader(features) as reader:
        yield DynamoStore(reader, features, await _columns(reader, features), log)


@dataclass(frozen=True)
class _Reading:
    """How items are read: both change together, when the table gets other columns."""

    columns: Columns
    layout: Layout
    hash: str


class DynamoStore:
    """Reads the table; who was left unanswered, or holds what the columns do not say, is unread, never unknown."""

    def __init__(self, reader: Reader, features: DynamoFeatures, columns: Columns, log: FeatureLog) -> None:
        self._reader = reader
        self._features = features
        self._reading = _reading(features, columns)
        self._log = log
        self._breaker = Breaker(time.monotonic)
        self._columns_due_s = time.monotonic() + COLUMNS_EVERY_S
        self._look_again_s = 0.0

    @property
    def columns(self) -> Columns:
        """The columns as of the last read."""
        return self._reading.columns

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> FeatureBatch:
        """Reads `player_ids` in requests of 100 keys, side by side; raises Expired or Unavailable.

        A read that probes whether a table is back may take `PROBE_S`: it may have to connect anew.
        """
        keys = {self._reading.layout.key(player): player for player in player_ids if can_be_known(player)}
        if not keys:
            return FeatureBatch(self.columns, {})
        is_probe = self._breaker.admit()
        until_s = asyncio.get_running_loop().time() + (max(timeout_s, PROBE_S) if is_probe else timeout_s)
        leg = await self._ask([*keys, *self._due()], until_s)
        if not leg.answered:
            failure = next(iter(leg.left.values()))
            self._breaker.failed(failure.reason, leg.detail or failure.reason)
            raise failure
        self._breaker.succeeded()
        await self._follow_columns(leg.items, until_s)
        return self._batch(keys, leg)

    async def close(self) -> None:
        """The reader is closed by who opened it."""

    def _due(self) -> list[str]:
        """The key of the columns, when it is time to look at them again."""
        if self._features.columns is not None or time.monotonic() < self._columns_due_s:
            return []
        self._columns_due_s = time.monotonic() + COLUMNS_EVERY_S
        return [SCHEMA_KEY]

    async def _ask(self, keys: Sequence[str], until_s: float) -> Leg:
        parts = [keys[start : start + MAX_KEYS] for start in range(0, len(keys), MAX_KEYS)]
        if len(parts) == 1:
            return await ask(self._reader, self._features, parts[0], until_s, self._log)
        return Leg.joined(
            await asyncio.gather(*(ask(self._reader, self._features, part, until_s, self._log) for part in parts))
        )

    async def _follow_columns(self, items: Mapping[str, Item], until_s: float) -> None:
        """Takes up other columns: from their item, if it was read, or as soon as a player was written with them."""
        told = items.get(SCHEMA_KEY)
        if told is None and self._features.layout == "packed":
            known = (self._reading.hash, None)
            now_s = time.monotonic()
            if now_s >= self._look_again_s and any(hash_in(item) not in known for item in items.values()):
                self._look_again_s = now_s + LOOK_AGAIN_S
                told = (await self._ask([SCHEMA_KEY], until_s)).items.get(SCHEMA_KEY)
        if told is None:
            return
        with contextlib.suppress(ValueError):  # what is no schema item changes nothing
            columns = columns_in(told)
            if columns != self.columns:
                self._reading = _reading(self._features, columns)

    def _batch(self, keys: Mapping[str, str], leg: Leg) -> FeatureBatch:
        reading, now_s = self._reading, time.time()
        players: dict[str, PlayerFeatures] = {}
        unread: dict[str, MeshError] = {keys[key]: why for key, why in leg.left.items() if key in keys}
        for key, player in keys.items():
            item = leg.items.get(key)
            if item is None:
                continue
            ends_at_s = end_of(item, self._features)
            if ends_at_s is not None and ends_at_s <= now_s:
                continue
            try:
                known = reading.layout.read(item, now_s)
                players[player] = known if ends_at_s is None else replace(known, ends_at_s=ends_at_s)
            except WrongItem as wrong:
                unread[player] = Unavailable(f"player {player!r}: {wrong}")
        return FeatureBatch(reading.columns, players, unread)


def _reading(features: DynamoFeatures, columns: Columns) -> _Reading:
    return _Reading(columns, layout_of(features, columns), columns_hash(columns))


async def _columns(reader: Reader, features: DynamoFeatures) -> Columns:
    """The table's columns, asked for until it answers: the first connection may take longer than a read may.

    Where the catalog names them, nobody waits for a table that is away: its time may come.
    """
    give_up_s = time.monotonic() + OPEN_LIMIT_S
    while True:
        try:
            async with asyncio.timeout(FIRST_READ_S):
                told = await read_table_columns(reader, features)
                break
        except REQUEST_ERRORS as error:
            if is_final(error) or time.monotonic() > give_up_s:
                raise Misconfigured([told_of(error, features)]) from error
            if features.named_columns is not None:
                _log.warning("serving all the same: %s", told_of(error, features))
                return features.named_columns
        await asyncio.sleep(OPEN_AGAIN_S)
    columns = features.named_columns or told
    if columns is None:
        problem = f"table {features.table!r} has no item {SCHEMA_KEY!r} with its columns"
        raise Misconfigured([f"{problem}; write it beside the players, or name the `columns` in the catalog"])
    return columns
