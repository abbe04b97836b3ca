"""The servers behave as the tests assume: DynamoDB's responses and refusals, and moto's S3."""

from __future__ import annotations

from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from emulators.aws import CREDENTIALS
from emulators.processes import Server

ITEMS = [{"player_id": {"S": f"p{number}"}, "packed": {"B": bytes((number, 255))}} for number in range(20)]


async def test_batch_read_returns_every_item_and_duplicate_keys_are_refused(dynamodb_server: Server) -> None:
    async with get_session().create_client("dynamodb", endpoint_url=dynamodb_server.endpoint, **CREDENTIALS) as client:
        await make_table(client)
        puts = [{"PutRequest": {"Item": item}} for item in ITEMS]
        await client.batch_write_item(RequestItems={"test-servers": puts})
        keys = [{"player_id": item["player_id"]} for item in ITEMS]

        answer = await client.batch_get_item(RequestItems={"test-servers": {"Keys": keys}})
        with pytest.raises(ClientError, match="contains duplicates"):
            await client.batch_get_item(RequestItems={"test-servers": {"Keys": keys[:1] * 2}})

    assert sorted(answer["Responses"]["test-servers"], key=id_of) == sorted(ITEMS, key=id_of)


def id_of(item: Any) -> str:
    return str(item["player_id"]["S"])


async def make_table(client: Any) -> None:
    await client.create_table(
        TableName="test-servers",
        KeySchema=[{"AttributeName": "player_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "player_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    await client.get_waiter("table_exists").wait(TableName="test-servers", WaiterConfig={"Delay": 1, "MaxAttempts": 20})


async def test_moto_stores_an_object_in_s3(moto_server: Server) -> None:
    async with get_session().create_client("s3", endpoint_url=moto_server.endpoint, **CREDENTIALS) as client:
        await client.create_bucket(
            Bucket="test-servers", CreateBucketConfiguration={"LocationConstraint": CREDENTIALS["region_name"]}
        )
        await client.put_object(Bucket="test-servers", Key="model.txt", Body=b"tree")

        answer = await client.get_object(Bucket="test-servers", Key="model.txt")
        assert await answer["Body"].read() == b"tree"
