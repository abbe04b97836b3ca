"""Players into a table: 25 items a request, what was left unprocessed sent again, until all of it is there."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from mesh.errors import Misconfigured, Unavailable
from mesh.players.dynamodb.attributes import WrongItem
from mesh.players.dynamodb.faults import THROTTLED, code_of
from mesh.players.dynamodb.schema import LOADING_KEY, SCHEMA_KEY, columns_in, schema_item
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures

Attributes: TypeAlias = Mapping[str, Any]  # as aiobotocore takes them: binary is bytes

MAX_PUTS = 25
MAX_ITEM_BYTES = 400 * 1024
REQUESTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
STUCK_S = 60.0
CREATE_S, LOOK_S = 120.0, 0.5


class TableWriter:
    """Writes one table through aiobotocore's `client`, which tries again what may pass. Raises botocore's errors."""

    def __init__(self, client: Any, features: DynamoFeatures) -> None:
        self._client = client
        self._features = features
        self._moved_s = time.monotonic()  # when the table last took something

    async def check_table(self, *, create: bool) -> None:
        """Finds the table, or makes it, billed by request. Raises Misconfigured when its key is another."""
        told = await self._description()
        if told is None and create:
            await self._create()
        if create:
            told = await self._made()
        if told is None:
            problem = f"table {self._features.table!r} is not in {self._features.region}"
            raise Misconfigured([f"{problem}; create it, or --create, or correct `table` and `region`"])
        keys = [(key["AttributeName"], key["KeyType"]) for key in told["KeySchema"]]
        kinds = {one["AttributeName"]: one["AttributeType"] for one in told["AttributeDefinitions"]}
        key = self._features.hash_key
        if keys != [(key, "HASH")] or kinds[key] != "S":
            there = ", ".join(f"{name!r} ({kind.lower()}, {kinds[name]})" for name, kind in keys)
            problem = f"table {self._features.table!r}: its key is {there}, and the catalog says {key!r} (hash, S)"
            raise Misconfigured([f"{problem}; correct `key`, or take another table"])

    async def columns(self) -> Columns | None:
        """The columns that the table tells; None when it does not."""
        item = await self._get(SCHEMA_KEY)
        return columns_in(item) if item else None

    async def tell_columns(self, columns: Columns) -> None:
        """Writes them down beside the players."""
        await self._put(SCHEMA_KEY, schema_item(columns))

    async def rows_loaded(self, file: str) -> int:
        """How many rows of the file with this fingerprint an interrupted load has written."""
        item = await self._get(LOADING_KEY)
        return int(item["rows"]["N"]) if item and item["file"]["S"] == file else 0

    async def note_rows(self, file: str, rows: int) -> None:
        """Remembers in the table how far the load has come."""
        await self._put(LOADING_KEY, {"file": {"S": file}, "rows": {"N": str(rows)}})

    async def end_load(self) -> None:
        """Forgets the load: it is whole."""
        place = {"TableName": self._features.table, "Key": self._key(LOADING_KEY)}
        await self._when_not_throttled("delete_item", **place)

    async def write(self, players: Mapping[str, Attributes]) -> None:
        """Writes the items of `players`, by key, until all are there. Raises Unavailable when none gets through."""
        puts = [{"PutRequest": {"Item": {**item, **self._key(key)}}} for key, item in players.items()]
        turns = asyncio.Semaphore(REQUESTS)
        try:
            async with asyncio.TaskGroup() as tasks:
                for start in range(0, len(puts), MAX_PUTS):
                    tasks.create_task(self._write_part(puts[start : start + MAX_PUTS], turns))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _write_part(self, puts: Sequence[Any], turns: asyncio.Semaphore) -> None:
        table, pause_s = self._features.table, FIRST_PAUSE_S
        async with turns:
            while True:
                answer = await self._when_not_throttled("batch_write_item", RequestItems={table: puts})
                left = answer.get("UnprocessedItems", {}).get(table, ())
                if not left:
                    return
                if len(left) < len(puts):
                    pause_s = FIRST_PAUSE_S
                pause_s = await self._pause(pause_s, moved=len(left) < len(puts))
                puts = left

    async def _when_not_throttled(self, operation: str, **parameters: Any) -> Any:
        """The answer, however often the table has too much to do; raises Unavailable when it takes nothing at all."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer = await getattr(self._client, operation)(**parameters)
            except ClientError as error:
                if code_of(error) not in THROTTLED:
                    raise
                pause_s = await self._pause(pause_s, moved=False)
            else:
                if not answer.get("UnprocessedItems"):
                    self._moved_s = time.monotonic()
                return answer

    async def _pause(self, pause_s: float, *, moved: bool) -> float:
        """Waits a while, and says how long to wait next time."""
        if moved:
            self._moved_s = time.monotonic()
        elif time.monotonic() - self._moved_s > STUCK_S:
            problem = f"table {self._features.table!r} took nothing for {STUCK_S:g} s"
            raise Unavailable(f"{problem}; raise its write capacity and run the same command: it goes on")
        await asyncio.sleep(random.random() * pause_s)
        return min(2 * pause_s, LONGEST_PAUSE_S)

    async def _description(self) -> Mapping[str, Any] | None:
        try:
            told: Mapping[str, Any] = (await self._client.describe_table(TableName=self._features.table))["Table"]
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None
        return told

    async def _create(self) -> None:
        key = self._features.hash_key
        await self._client.create_table(
            TableName=self._features.table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    async def _made(self) -> Mapping[str, Any]:
        """The table once it is ready; for a while after its making DynamoDB may not know it."""
        try:
            async with asyncio.timeout(CREATE_S):
                while not _is_ready(told := await self._description()):  # noqa: ASYNC110 (a table has no event)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise Unavailable(f"table {self._features.table!r} was not ready after {CREATE_S:g} s") from None
        return told or {}

    async def _get(self, key: str) -> Any:
        place = {"TableName": self._features.table, "Key": self._key(key)}
        return (await self._when_not_throttled("get_item", **place, ConsistentRead=True)).get("Item")

    async def _put(self, key: str, attributes: Attributes) -> None:
        item = {**attributes, **self._key(key)}
        await self._when_not_throttled("put_item", TableName=self._features.table, Item=item)

    def _key(self, key: str) -> dict[str, Any]:
        return {self._features.hash_key: {"S": key}}


def _is_ready(told: Mapping[str, Any] | None) -> bool:
    return told is not None and told["TableStatus"] in ("ACTIVE", "UPDATING")


def check_size(item: Attributes) -> None:
    """Raises WrongItem for one above DynamoDB's limit, which refuses the others of its request with it.

    Counted as in "DynamoDB item sizes and formats" of its Developer Guide, numbers a little high.
    """
    size_bytes = _size_bytes({"M": item})
    if size_bytes > MAX_ITEM_BYTES:
        raise WrongItem(
            f"has {size_bytes:,} bytes, and DynamoDB takes {MAX_ITEM_BYTES:,}; use fewer or shorter columns"
        )


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
