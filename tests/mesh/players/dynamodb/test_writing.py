"""Players are written until all are there, however slowly a table takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mesh.errors import Unavailable
from mesh.players.dynamodb import writing
from mesh.players.dynamodb.writing import TableWriter
from mesh.players.settings import DynamoFeatures

FEATURES = DynamoFeatures(store="dynamodb", table="players", region="eu-west-1")
PLAYERS = {f"p{number}": {"level": {"N": "1"}} for number in range(500)}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Operation")


class Client:
    """A table that takes what `takes` says of so many puts, and is not known to DescribeTable for a while."""

    def __init__(self, takes: Callable[[int], int]) -> None:
        self._takes = takes
        self._unknown = 3
        self.taken: list[str] = []

    async def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 (botocore's name)
        await asyncio.sleep(0.001)
        ((name, puts),) = RequestItems.items()
        count = self._takes(len(puts))
        if not count:
            raise refusal("ThrottlingException")
        self.taken += [put["PutRequest"]["Item"]["player_id"]["S"] for put in puts[:count]]
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
    monkeypatch.setattr(writing, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(writing, "LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr(writing, "LOOK_S", 0.0)
    monkeypatch.setattr(writing, "STUCK_S", 0.15)


async def test_a_table_that_is_slow_but_moves_gets_everything() -> None:
    client = Client(lambda puts: min(puts, 2))  # of 500 players, which takes longer than a stuck table may
    await TableWriter(client, FEATURES).write(PLAYERS)
    assert sorted(client.taken) == sorted(PLAYERS)


async def test_a_table_that_takes_nothing_is_told() -> None:
    with pytest.raises(Unavailable, match=r"took nothing for 0\.15 s; .* run the same command"):
        await TableWriter(Client(lambda _: 0), FEATURES).write(PLAYERS)


async def test_a_table_that_was_just_made_is_waited_for() -> None:
    await TableWriter(Client(lambda puts: puts), FEATURES).check_table(create=True)
