"""The aiobotocore client of a table: time limits of milliseconds, no retries of its own, batches left as they came.

botocore's parser checks every value of an answer against the service model, which costs most of a read. A session may
bring a parser of its own: this one hands the body of a BatchGetItem through, for those who know its shape to decode.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from mesh import __version__
from mesh.catalog_features import DynamoFeatures
from mesh.dynamodb.credentials import credentials_of
from mesh.dynamodb.faults import told_of
from mesh.errors import Misconfigured

OPEN_LIMIT_S = 20.0
CONNECTIONS = 64
KEEPALIVE_S = 60.0


@contextlib.asynccontextmanager
async def open_client(features: DynamoFeatures, timeout_s: float) -> AsyncIterator[Any]:
    """A client for the table's region whose connections wait `timeout_s`, for as long as the block lasts.

    Raises Misconfigured without credentials. A batch_get_item gives {"body": bytes}.
    """
    session = AioSession()
    session.register_component("response_parser_factory", _Parsers())
    config = AioConfig(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": 1},  # ours are within the budget
        max_pool_connections=CONNECTIONS,
        parameter_validation=False,
        user_agent=f"ensemble-mesh/{__version__}",  # botocore would compose its own anew for each request
        connector_args={"keepalive_timeout": KEEPALIVE_S},
    )
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            credentials = await credentials_of(session)
    except (BotoCoreError, ClientError, TimeoutError) as error:
        raise Misconfigured([told_of(error, features)]) from error
    client = session.create_client(
        "dynamodb", region_name=features.region, endpoint_url=features.endpoint_url, config=config
    )
    async with client as opened:
        renewing = asyncio.create_task(credentials.renew_for_ever(), name="credentials")
        try:
            yield opened
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)  # it ends by being cancelled


class _Parsers(AioResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        if protocol_name != "json":
            return super().create_parser(protocol_name)
        return _BatchesAsTheyCame(**self._defaults)


class _BatchesAsTheyCame(AioJSONParser):
    async def parse(self, response: dict[str, Any], shape: Any) -> Any:
        if response["status_code"] != 200 or shape.name != "BatchGetItemOutput":
            return await super().parse(response, shape)
        body, crc = response["body"], response["headers"].get("x-amz-crc32")
        if crc is not None and int(crc) != zlib.crc32(body):
            raise ValueError("the checksum of the answer is wrong")
        return {"body": body}
