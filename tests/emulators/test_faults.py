"""Each fault has the intended effect on a plain aiobotocore client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions

from emulators.aws import CREDENTIALS
from emulators.fault_process import FaultyDynamoDB, faulty_dynamodb
from emulators.faults import Fault, Kind

pytestmark = pytest.mark.whole_machine  # real time limits

READ_S = 0.5
ITEMS = [{"player_id": {"S": f"p{number}"}, "level": {"N": str(number)}} for number in range(50)]
EVERY_ID = [item["player_id"]["S"] for item in ITEMS]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDynamoDB]:
    with faulty_dynamodb(tmp_path_factory.mktemp("faults"), ITEMS) as server:
        yield server


@pytest.fixture
def store(started: FaultyDynamoDB) -> Iterator[FaultyDynamoDB]:
    yield started
    started.set(Fault())


@pytest.fixture
async def client(store: FaultyDynamoDB) -> AsyncIterator[Any]:
    """A client without retries, so that each fault is visible."""
    config = AioConfig(
        connect_timeout=READ_S, read_timeout=READ_S, retries={"mode": "standard", "total_max_attempts": 1}
    )
    session = get_session()
    async with session.create_client("dynamodb", endpoint_url=store.endpoint, config=config, **CREDENTIALS) as client:
        yield client


async def batch(client: Any, ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """The ids of the returned items and of the unprocessed keys, each in the order of the response."""
    keys = [{"player_id": {"S": player}} for player in ids]
    answer = await client.batch_get_item(RequestItems={"players": {"Keys": keys}})
    keys = answer["UnprocessedKeys"].get("players", {"Keys": []})["Keys"]
    return [item["player_id"]["S"] for item in answer["Responses"]["players"]], [key["player_id"]["S"] for key in keys]


async def test_without_fault_known_items_are_returned_and_unknown_items_are_absent(client: Any) -> None:
    found = await client.get_item(TableName="players", Key={"player_id": {"S": "p7"}})
    absent = await client.get_item(TableName="players", Key={"player_id": {"S": "nobody"}})

    assert found["Item"] == ITEMS[7]
    assert "Item" not in absent
    assert (await batch(client, ["p1", "nobody"]))[0] == ["p1"]


async def test_batch_response_is_in_another_order_than_the_request(client: Any) -> None:
    answered, unprocessed = await batch(client, EVERY_ID)

    assert answered != EVERY_ID
    assert (sorted(answered), unprocessed) == (sorted(EVERY_ID), [])


@pytest.mark.parametrize(
    ("kind", "error"),
    [("throttle", "ProvisionedThroughputExceededException"), ("error", "InternalServerError")],
)
async def test_refusal_has_the_error_code_of_aws(client: Any, store: FaultyDynamoDB, kind: Kind, error: str) -> None:
    store.set(Fault(kind))

    with pytest.raises(exceptions.ClientError) as raised:
        await batch(client, ["p1"])

    assert raised.value.response["Error"]["Code"] == error


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("cut", exceptions.HTTPClientError),
        ("stall", exceptions.ReadTimeoutError),
        ("refuse", (exceptions.ConnectionClosedError, exceptions.EndpointConnectionError)),
    ],
)
async def test_broken_response_is_an_error_and_the_next_response_is_complete(
    client: Any, store: FaultyDynamoDB, kind: Kind, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    await batch(client, ["p1"])  # an open connection must break as well
    store.set(Fault(kind))
    with pytest.raises(error):
        await batch(client, ["p1"])

    store.set(Fault())
    assert await batch(client, ["p1"]) == (["p1"], [])


async def test_refuse_fault_refuses_new_connections(client: Any, store: FaultyDynamoDB) -> None:
    store.set(Fault("refuse"))

    with pytest.raises(exceptions.EndpointConnectionError):
        await batch(client, ["p1"])


async def test_plain_client_reads_bad_json_as_a_response_without_items(client: Any, store: FaultyDynamoDB) -> None:
    store.set(Fault("bad_json"))

    answer = await client.batch_get_item(RequestItems={"players": {"Keys": [{"player_id": {"S": "p1"}}]}})

    assert "Responses" not in answer  # botocore treats a body that it cannot parse as a message


async def test_bad_crc_fault_sends_a_checksum_that_does_not_match_the_body(client: Any, store: FaultyDynamoDB) -> None:
    key = {"TableName": "players", "Key": {"player_id": {"S": "p1"}}}
    right = (await client.get_item(**key))["ResponseMetadata"]["HTTPHeaders"]["x-amz-crc32"]
    store.set(Fault("bad_crc"))
    wrong = (await client.get_item(**key))["ResponseMetadata"]["HTTPHeaders"]["x-amz-crc32"]

    assert int(wrong) == int(right) ^ 1


async def test_slow_fault_delays_the_response(client: Any, store: FaultyDynamoDB) -> None:
    store.set(Fault("slow", delay_ms=100))
    loop = asyncio.get_running_loop()
    start_s = loop.time()

    assert await batch(client, ["p1"]) == (["p1"], [])
    assert loop.time() - start_s >= 0.1


async def test_trickle_fault_takes_longer_than_the_read_timeout(client: Any, store: FaultyDynamoDB) -> None:
    store.set(Fault("trickle", delay_ms=5))
    loop = asyncio.get_running_loop()
    start_s = loop.time()

    assert await batch(client, ["p1"]) == (["p1"], [])
    assert loop.time() - start_s > READ_S


@pytest.mark.parametrize(("share", "players", "expected"), [(0.3, 20, 6), (0.99, 20, 19), (0.99, 1, 0), (1.0, 20, 20)])
async def test_share_of_the_keys_is_returned_as_unprocessed(
    client: Any, store: FaultyDynamoDB, share: float, players: int, expected: int
) -> None:
    store.set(Fault("unprocessed", share=share))

    answered, unprocessed = await batch(client, EVERY_ID[:players])

    assert len(unprocessed) == expected
    assert sorted(answered + unprocessed) == sorted(EVERY_ID[:players])


async def test_server_counts_requests_keys_and_hits(tmp_path: Path) -> None:
    with faulty_dynamodb(tmp_path, ITEMS) as own:
        async with get_session().create_client("dynamodb", endpoint_url=own.endpoint, **CREDENTIALS) as fresh:
            await batch(fresh, EVERY_ID[:10])
            await fresh.get_item(TableName="players", Key={"player_id": {"S": "p1"}})
            own.set(Fault("unprocessed", share=0.5))
            await batch(fresh, EVERY_ID[:4])

        assert own.counts() == {"requests": 3, "keys": 15, "unprocessed": 2, "hits": {"unprocessed": 1}}
