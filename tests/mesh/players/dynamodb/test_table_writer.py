"""Writing players to slow, throttled and new tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mesh.errors import Unavailable
from mesh.players.dynamodb import table_writer
from mesh.players.dynamodb.table_writer import TableWriter
from mesh.players.settings import DynamoFeatures

FEATURES = DynamoFeatures(store="dynamodb", table="players", region="eu-west-1")
PLAYERS = {f"p{number}": {"level": {"N": "1"}} for number in range(500)}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Operation")


class Client:
    """A table that accepts `accepts(n)` of n puts; DescribeTable reports it as missing at first."""

    def __init__(self, accepts: Callable[[int], int]) -> None:
        self._accepts = accepts
        self._unknown = 3
        self.written: list[str] = []

    async def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 (botocore's name)
        await asyncio.sleep(0.001)
        ((name, puts),) = RequestItems.items()
        count = self._accepts(len(puts))
        if not count:
            raise refusal("ThrottlingException")
        self.written += [put["PutRequest"]["Item"]["player_id"]["S"] for put in puts[:count]]
        return {"UnprocessedItems": {name: puts[count:]} if count < len(puts) else {}}

    async def create_table(self, **_: Any) -> Any:
        return {}

    async def describe_table(self, **_: Any) -> Any:
        self._unknown -= 1
        if self._unknown >= 0:
            raise refusal("ResourceNotFoundException")
        status = "CREATING" if self._unknown > -3 else "ACTIVE"
        keys = [{"AttributeName": "player_id", "KeyType": "HASH"}]
        kinds = [{"AttributeName": "player_id", "AttributeType": "S"}]
        return {"Table": {"TableStatus": status, "KeySchema": keys, "AttributeDefinitions": kinds}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writer, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(table_writer, "LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr(table_writer, "POLL_S", 0.0)
    monkeypatch.setattr(table_writer, "STUCK_S", 0.15)


async def test_slow_table_receives_all_players() -> None:
    client = Client(lambda puts: min(puts, 2))  # all 500 players take longer than STUCK_S
    await TableWriter(client, FEATURES).write(PLAYERS)
    assert sorted(client.written) == sorted(PLAYERS)


async def test_table_that_accepts_no_writes_is_reported() -> None:
    with pytest.raises(Unavailable, match=r"accepted no writes for 0\.15 s; .* repeat the command"):
        await TableWriter(Client(lambda _: 0), FEATURES).write(PLAYERS)


async def test_new_table_is_awaited() -> None:
    await TableWriter(Client(lambda puts: puts), FEATURES).check_table(create=True)
