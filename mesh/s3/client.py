"""A client for S3 and compatible stores, and readable messages for its errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as botocore

from mesh.s3.address import ObjectAddress

CONNECT_S = 5.0
STALL_S = 10.0

_CREDENTIALS = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
)
_RETRY_LATER = ("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException")
_CONNECTION = (aiohttp.ClientError, botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request to S3 failed: a sentence with the fix, and whether a retry may succeed."""

    sentence: str
    transient: bool


class BadSettings(Exception):
    """The AWS environment variables or configuration files are invalid; the text says why."""


@asynccontextmanager
async def connect(attempts: int = 1) -> AsyncIterator[Any]:
    """Yields a client that finds credentials, region and endpoint (AWS_ENDPOINT_URL_S3) like botocore.

    A call fails if it receives no data for `STALL_S`. After a transient failure the client retries, with at most
    `attempts` attempts in total. Raises BadSettings.
    """
    config = AioConfig(
        connect_timeout=CONNECT_S,
        read_timeout=STALL_S,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Some stores do not support the checksums that botocore chooses; the SHA-256 is compared by our code.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(get_session().create_client("s3", config=config))
        except (botocore.BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
            raise BadSettings(f"the AWS settings for S3 are invalid: {_one_line(error)}") from error
        yield client


def code_of(error: Exception) -> str:
    """Returns the error code of S3, or an empty text; for a HEAD request it is the HTTP status."""
    return str(error.response["Error"]["Code"]) if isinstance(error, botocore.ClientError) else ""


def explain(error: Exception, address: ObjectAddress, permission: str) -> Failure | None:
    """Explains the failure of a request for `address`, which needs `permission`; None if it is a bug in our code."""
    if isinstance(error, botocore.ClientError):
        return _explain_response(error, address, permission)
    if isinstance(error, botocore.NoCredentialsError):
        fix = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
        return Failure(f"there are no credentials for S3: {fix}", False)
    if isinstance(error, botocore.EndpointConnectionError | botocore.ConnectTimeoutError):
        place = error.kwargs["endpoint_url"].partition("?")[0]
        return Failure(f"cannot connect to {place}: check the network and AWS_ENDPOINT_URL_S3", True)
    if isinstance(error, botocore.ReadTimeoutError):
        return Failure("the transfer stalled", True)
    if isinstance(error, _CONNECTION):
        return Failure(f"the transfer was interrupted: {_one_line(error)}", not isinstance(error, botocore.SSLError))
    if isinstance(error, botocore.BotoCoreError):
        return Failure(_one_line(error), False)
    return None


def _explain_response(error: botocore.ClientError, address: ObjectAddress, permission: str) -> Failure:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in ("NoSuchKey", "404"):
        return Failure(f"no such key: bucket {address.bucket} has no object {address.key}; publish it", False)
    if code == "NoSuchBucket":
        fix = "check its name and AWS_ENDPOINT_URL_S3"
        return Failure(f"no such bucket: {address.bucket} does not exist; {fix}", False)
    if code in ("AccessDenied", "403"):
        fix = f"these credentials need {permission} on arn:aws:s3:::{address.bucket}/{address.key}"
        # Without the permission s3:ListBucket, S3 returns the same code for a missing key.
        return Failure(f"access denied: {fix}, or the key is missing", False)
    if code in _CREDENTIALS:
        return Failure(f"S3 does not accept these credentials ({code}): renew them", False)
    return Failure(f"S3 answered {_one_line(error)}", status >= 500 or status == 429 or code in _RETRY_LATER)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
