"""The feature store of a cluster: a DynamoDB table, read in batches of distinct keys."""

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
from mesh.players.dynamodb.errors import REQUEST_ERRORS, full_message, is_final
from mesh.players.dynamodb.layouts import Layout, layout_of
from mesh.players.dynamodb.schema import SCHEMA_KEY, columns_hash, columns_in, hash_in
from mesh.players.dynamodb.table import MAX_KEYS, expiry_s, is_valid_player_id, read_table_columns
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures
from supervisor.features.batch_read import KeysRead, merged, read_batch
from supervisor.features.breaker import Breaker
from supervisor.features.port import StoreMetrics, StoreRead

OPEN_LIMIT_S = 20.0
OPEN_PAUSE_S = 0.5
FIRST_READ_S = 5.0
PROBE_S = 1.0
# The columns are read this often: not every layout shows a change of the columns in its items.
COLUMNS_EVERY_S = 10.0
# The minimum time between two reads of the columns because of an item: items of an earlier load stay in the table.
MIN_COLUMNS_PAUSE_S = 0.2

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_dynamo_store(features: DynamoFeatures, metrics: StoreMetrics) -> AsyncIterator[DynamoStore]:
    """Yields the store of the table with an open connection and known columns.

    Raises Misconfigured if the table does not exist, must not be read, or does not answer within `OPEN_LIMIT_S`.
    """
    async with open_reader(features) as reader:
        yield DynamoStore(reader, features, await _first_columns(reader, features), metrics)


@dataclass(frozen=True)
class _Decoding:
    """How items are decoded; all parts change together when the columns of the table change."""

    columns: Columns
    layout: Layout
    hash: str


class DynamoStore:
    """Reads the table.

    A player without an answer, or with an item that does not fit the columns, is unread, not unknown.
    """

    def __init__(self, reader: Reader, features: DynamoFeatures, columns: Columns, metrics: StoreMetrics) -> None:
        self._reader = reader
        self._features = features
        self._decoding = _decoding(features, columns)
        self._metrics = metrics
        self._breaker = Breaker(time.monotonic)
        self._columns_due_s = time.monotonic() + COLUMNS_EVERY_S
        self._next_columns_s = 0.0

    @property
    def columns(self) -> Columns:
        """The columns of the last read."""
        return self._decoding.columns

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> StoreRead:
        """Reads `player_ids` in concurrent requests of 100 keys; raises Expired or Unavailable.

        A read that probes a failing table may take `PROBE_S`, because it may have to reconnect.
        """
        keys = {self._decoding.layout.key(player): player for player in player_ids if is_valid_player_id(player)}
        if not keys:
            return StoreRead(self.columns, {})
        is_probe = self._breaker.admit()
        until_s = asyncio.get_running_loop().time() + (max(timeout_s, PROBE_S) if is_probe else timeout_s)
        read = await self._read_keys([*keys, *self._due_keys()], until_s)
        if not read.answered:
            failure = next(iter(read.unread.values()))
            self._breaker.failed(failure.reason, read.detail or failure.reason)
            raise failure
        self._breaker.succeeded()
        await self._follow_columns(read.items, until_s)
        return self._batch(keys, read)

    async def close(self) -> None:
        """Does nothing: `open_dynamo_store` closes the reader."""

    def _due_keys(self) -> list[str]:
        """The key of the columns, if it is time to read them again."""
        if self._features.columns is not None or time.monotonic() < self._columns_due_s:
            return []
        self._columns_due_s = time.monotonic() + COLUMNS_EVERY_S
        return [SCHEMA_KEY]

    async def _read_keys(self, keys: Sequence[str], until_s: float) -> KeysRead:
        reads = [
            read_batch(self._reader, self._features, keys[start : start + MAX_KEYS], until_s, self._metrics)
            for start in range(0, len(keys), MAX_KEYS)
        ]
        return await reads[0] if len(reads) == 1 else merged(await asyncio.gather(*reads))

    async def _follow_columns(self, items: Mapping[str, Item], until_s: float) -> None:
        """Switches to changed columns: from their item if it was read, or as soon as a player has other columns."""
        schema = items.get(SCHEMA_KEY)
        if schema is None and self._features.layout == "packed":
            known = (self._decoding.hash, None)
            now_s = time.monotonic()
            if now_s >= self._next_columns_s and any(hash_in(item) not in known for item in items.values()):
                self._next_columns_s = now_s + MIN_COLUMNS_PAUSE_S
                schema = (await self._read_keys([SCHEMA_KEY], until_s)).items.get(SCHEMA_KEY)
        if schema is None:
            return
        with contextlib.suppress(ValueError):  # an invalid schema item changes nothing
            columns = columns_in(schema)
            if columns != self.columns:
                self._decoding = _decoding(self._features, columns)

    def _batch(self, keys: Mapping[str, str], read: KeysRead) -> StoreRead:
        decoding, now_s = self._decoding, time.time()
        players: dict[str, PlayerFeatures] = {}
        unread: dict[str, MeshError] = {keys[key]: reason for key, reason in read.unread.items() if key in keys}
        for key, player in keys.items():
            item = read.items.get(key)
            if item is None:
                continue
            ends_at_s = expiry_s(item, self._features, now_s)
            if ends_at_s is not None and ends_at_s <= now_s:
                continue
            try:
                found = decoding.layout.read(item, now_s)
                players[player] = found if ends_at_s is None else replace(found, ends_at_s=ends_at_s)
            except WrongItem as wrong:
                unread[player] = Unavailable(f"player {player!r}: {wrong}")
        return StoreRead(decoding.columns, players, unread)


def _decoding(features: DynamoFeatures, columns: Columns) -> _Decoding:
    return _Decoding(columns, layout_of(features, columns), columns_hash(columns))


async def _first_columns(reader: Reader, features: DynamoFeatures) -> Columns:
    """Reads the columns of the table, until it answers: the first connection may take longer than a read.

    If the catalog names the columns, an unavailable table does not delay the start.
    """
    give_up_s = time.monotonic() + OPEN_LIMIT_S
    while True:
        try:
            async with asyncio.timeout(FIRST_READ_S):
                stored = await read_table_columns(reader, features)
                break
        except REQUEST_ERRORS as error:
            if is_final(error) or time.monotonic() > give_up_s:
                raise Misconfigured([full_message(error, features)]) from error
            if features.named_columns is not None:
                _log.warning("starting without an answer of the table: %s", full_message(error, features))
                return features.named_columns
        await asyncio.sleep(OPEN_PAUSE_S)
    columns = features.named_columns or stored
    if columns is None:
        problem = f"table {features.table!r} has no item {SCHEMA_KEY!r} with its columns"
        raise Misconfigured([f"{problem}; write it into the table, or name the `columns` in the catalog"])
    return columns
