"""Two clients for a DynamoDB table: a fast reader for BatchGetItem, and the client of aiobotocore for the rest.

Both use the credentials, endpoints, proxies and TLS settings of aiobotocore. The reader exists because the client of
aiobotocore spends most of the time of a read in its own code: docs/decisions/0006-players-from-dynamodb.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import get_environ_proxies

from mesh import __version__
from mesh.errors import Misconfigured
from mesh.players.dynamodb.credentials import RenewedCredentials, credentials_of
from mesh.players.dynamodb.errors import REQUEST_ERRORS, credentials_message, full_message
from mesh.players.dynamodb.signature import signed_headers
from mesh.players.settings import DynamoFeatures

OPEN_LIMIT_S = 20.0
CONNECTIONS = 64
KEEPALIVE_S = 60.0
ATTEMPTS, CALL_S = 4, 10.0
_BATCH_GET = "DynamoDB_20120810.BatchGetItem"
_USER_AGENT = f"ensemble-mesh/{__version__}"


@dataclass(frozen=True)
class Reader:
    """Sends BatchGetItem requests to one endpoint, without retries: the caller knows the deadline and retries."""

    http: AIOHTTPSession
    url: str
    region: str
    credentials: RenewedCredentials

    async def batch_get(self, request: Mapping[str, Any]) -> bytes:
        """Returns the body of the response to `request`.

        Raises the errors of botocore (ClientError, HTTPClientError), and ValueError for a wrong checksum.
        """
        body = json.dumps(request, separators=(",", ":")).encode()
        place = urlsplit(self.url)
        frozen = self.credentials.frozen
        headers = signed_headers(place.netloc, place.path or "/", self.region, _BATCH_GET, body, frozen, time.time())
        headers["user-agent"] = _USER_AGENT
        response = await self.http.send(AWSPreparedRequest("POST", self.url, headers, body, False))
        content: bytes = await response.content
        if response.status_code != 200:
            raise _client_error(response.status_code, content)
        crc = response.headers.get("x-amz-crc32")
        if crc is not None and int(crc) != zlib.crc32(content):
            raise ValueError("the checksum of the response is wrong")
        return content


@contextlib.asynccontextmanager
async def open_reader(features: DynamoFeatures) -> AsyncIterator[Reader]:
    """Yields a reader of the table; the caller limits the time of a read. Raises Misconfigured without credentials."""
    session = AioSession()
    credentials = await _credentials(session, features)
    url = await _endpoint(session, features)
    http = AIOHTTPSession(
        verify=session.get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(url),
        timeout=(CALL_S, CALL_S),
        max_pool_connections=CONNECTIONS,
        connector_args={"keepalive_timeout": KEEPALIVE_S},
    )
    async with http, credentials.keep_renewed():
        yield Reader(http, url, features.region, credentials)


@contextlib.asynccontextmanager
async def open_client(features: DynamoFeatures) -> AsyncIterator[Any]:
    """Yields a client of aiobotocore for the table, which retries. Raises Misconfigured without credentials."""
    session = AioSession()
    credentials = await _credentials(session, features)
    async with credentials.keep_renewed(), _client(session, features) as client:
        yield client


async def _endpoint(session: AioSession, features: DynamoFeatures) -> str:
    try:
        async with _client(session, features) as client:
            return str(client.meta.endpoint_url)
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured([full_message(error, features)]) from error


def _client(session: AioSession, features: DynamoFeatures) -> contextlib.AbstractAsyncContextManager[Any]:
    config = AioConfig(
        connect_timeout=CALL_S,
        read_timeout=CALL_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent=_USER_AGENT,
    )
    client: contextlib.AbstractAsyncContextManager[Any] = session.create_client(
        "dynamodb", region_name=features.region, endpoint_url=features.endpoint_url, config=config
    )
    return client


async def _credentials(session: AioSession, features: DynamoFeatures) -> RenewedCredentials:
    try:
        async with asyncio.timeout(OPEN_LIMIT_S):
            return await credentials_of(session)
    except (*REQUEST_ERRORS, KeyError) as error:  # KeyError: a token file or credential_process
        raise Misconfigured([credentials_message(error, features)]) from error


def _client_error(status: int, content: bytes) -> ClientError:
    """Returns the error of DynamoDB in the form of botocore; if another server responded, the HTTP status."""
    try:
        error = json.loads(content)
        code, message = str(error["__type"]).rpartition("#")[2], str(error.get("message") or error.get("Message") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message = f"HTTP {status}", ""
    metadata = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "BatchGetItem")
