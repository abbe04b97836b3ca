"""Writes players to a table: 25 items per request, and unprocessed items again until all are written."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from mesh.back_off import BackOff
from mesh.errors import Misconfigured, Unavailable
from mesh.players.dynamodb.attributes import WrongItem
from mesh.players.dynamodb.errors import THROTTLED, code_of
from mesh.players.dynamodb.schema import LOADING_KEY, SCHEMA_KEY, columns_in, schema_item
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures

ItemAttributes: TypeAlias = Mapping[str, Any]  # in the form of aiobotocore: binary values are bytes

MAX_PUTS = 25
MAX_ITEM_BYTES = 400 * 1024
REQUESTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
STUCK_S = 60.0
CREATE_S, POLL_S = 120.0, 0.5


class TableWriter:
    """Writes one table with `client` of aiobotocore, which retries transient errors. Raises the errors of botocore."""

    def __init__(self, client: Any, features: DynamoFeatures) -> None:
        self._client = client
        self._features = features
        self._progress_s = time.monotonic()  # time of the last successful write

    async def check_table(self, *, create: bool) -> None:
        """Checks the key of the table; `create` creates a missing table, billed per request. Raises Misconfigured."""
        table = await self._description()
        if table is None and create:
            await self._create()
        if create:
            table = await self._ready_table()
        if table is None:
            problem = f"table {self._features.table!r} does not exist in {self._features.region}"
            raise Misconfigured([f"{problem}; use --create to create it, or correct `table` and `region`"])
        keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
        kinds = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
        key = self._features.hash_key
        if keys != [(key, "HASH")] or kinds[key] != "S":
            actual = ", ".join(f"{name!r} ({kind.lower()}, {kinds[name]})" for name, kind in keys)
            problem = f"table {self._features.table!r}: its key is {actual}, but the catalog has {key!r} (hash, S)"
            raise Misconfigured([f"{problem}; correct `key`, or use another table"])

    async def columns(self) -> Columns | None:
        """Reads the columns from the table; None if it does not store them."""
        item = await self._get(SCHEMA_KEY)
        return columns_in(item) if item else None

    async def save_columns(self, columns: Columns) -> None:
        """Writes the columns to the schema item of the table."""
        await self._put(SCHEMA_KEY, schema_item(columns))

    async def rows_loaded(self, file: str) -> int:
        """Returns the number of rows that an interrupted load of the file with this fingerprint has written."""
        item = await self._get(LOADING_KEY)
        return int(item["rows"]["N"]) if item and item["file"]["S"] == file else 0

    async def save_progress(self, file: str, rows: int) -> None:
        """Writes the progress of the load to the table."""
        await self._put(LOADING_KEY, {"file": {"S": file}, "rows": {"N": str(rows)}})

    async def clear_progress(self) -> None:
        """Deletes the progress of the load after its end."""
        place = {"TableName": self._features.table, "Key": self._key(LOADING_KEY)}
        await self._retry_throttled("delete_item", **place)

    async def write(self, players: Mapping[str, ItemAttributes]) -> None:
        """Writes all items of `players`, by key. Raises Unavailable if the table accepts no writes for `STUCK_S`."""
        puts = [{"PutRequest": {"Item": {**item, **self._key(key)}}} for key, item in players.items()]
        limit = asyncio.Semaphore(REQUESTS)
        try:
            async with asyncio.TaskGroup() as tasks:
                for start in range(0, len(puts), MAX_PUTS):
                    tasks.create_task(self._write_part(puts[start : start + MAX_PUTS], limit))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _write_part(self, puts: Sequence[Any], limit: asyncio.Semaphore) -> None:
        table, pauses = self._features.table, _pauses()
        async with limit:
            while True:
                response = await self._retry_throttled("batch_write_item", RequestItems={table: puts})
                left = response.get("UnprocessedItems", {}).get(table, ())
                if not left:
                    return
                if len(left) < len(puts):
                    self._progress_s = time.monotonic()
                    pauses.reset()
                await self._pause(pauses)
                puts = left

    async def _retry_throttled(self, operation: str, **parameters: Any) -> Any:
        """Calls `operation`, and repeats it while the table throttles it; raises Unavailable after `STUCK_S`."""
        pauses = _pauses()
        while True:
            try:
                response = await getattr(self._client, operation)(**parameters)
            except ClientError as error:
                if code_of(error) not in THROTTLED:
                    raise
                await self._pause(pauses)
            else:
                if not response.get("UnprocessedItems"):
                    self._progress_s = time.monotonic()
                return response

    async def _pause(self, pauses: BackOff) -> None:
        """Sleeps before a retry; raises Unavailable if the table accepted no writes for `STUCK_S`."""
        if time.monotonic() - self._progress_s > STUCK_S:
            problem = f"table {self._features.table!r} accepted no writes for {STUCK_S:g} s"
            raise Unavailable(f"{problem}; raise its write capacity and repeat the command, which continues the load")
        await asyncio.sleep(pauses.next_s())

    async def _description(self) -> Mapping[str, Any] | None:
        try:
            table: Mapping[str, Any] = (await self._client.describe_table(TableName=self._features.table))["Table"]
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None
        return table

    async def _create(self) -> None:
        key = self._features.hash_key
        await self._client.create_table(
            TableName=self._features.table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    async def _ready_table(self) -> Mapping[str, Any]:
        """Returns the table when it is ready. DynamoDB may report a new table as missing for some time."""
        try:
            async with asyncio.timeout(CREATE_S):
                while not _is_ready(table := await self._description()):  # noqa: ASYNC110 (a table has no event)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise Unavailable(f"table {self._features.table!r} was not ready after {CREATE_S:g} s") from None
        return table or {}

    async def _get(self, key: str) -> Any:
        place = {"TableName": self._features.table, "Key": self._key(key)}
        return (await self._retry_throttled("get_item", **place, ConsistentRead=True)).get("Item")

    async def _put(self, key: str, attributes: ItemAttributes) -> None:
        item = {**attributes, **self._key(key)}
        await self._retry_throttled("put_item", TableName=self._features.table, Item=item)

    def _key(self, key: str) -> dict[str, Any]:
        return {self._features.hash_key: {"S": key}}


def _pauses() -> BackOff:
    return BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, random.uniform, jitter=1.0)


def _is_ready(table: Mapping[str, Any] | None) -> bool:
    return table is not None and table["TableStatus"] in ("ACTIVE", "UPDATING")


def check_size(item: ItemAttributes) -> None:
    """Raises WrongItem for an item above the limit of DynamoDB, which would reject the whole request.

    The size follows "DynamoDB item sizes and formats" in the Developer Guide; the size of numbers is an upper bound.
    """
    size_bytes = _size_bytes({"M": item})
    if size_bytes > MAX_ITEM_BYTES:
        problem = f"has {size_bytes:,} bytes, but the limit of DynamoDB is {MAX_ITEM_BYTES:,}"
        raise WrongItem(f"{problem}; use fewer or shorter columns")


def _size_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size_bytes(one) for name, one in content.items())
        case "N":
            return 1 + (len(content) + 1) // 2
        case "S":
            return len(content.encode())
    return len(content)
