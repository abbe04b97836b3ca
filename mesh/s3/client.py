"""A client of S3, or of a store that speaks its protocol, and what its errors mean."""

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

_NOT_ACCEPTED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ASK_LATER = ("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException")
_CONNECTION = (aiohttp.ClientError, botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why S3 did not do what it was asked: a sentence with the mend, and whether asking again may help."""

    sentence: str
    passing: bool


class BadSettings(Exception):
    """The environment or the configuration files of AWS make no sense; the text says why."""


@asynccontextmanager
async def connect(attempts: int = 1) -> AsyncIterator[Any]:
    """A client that finds credentials, region and endpoint (AWS_ENDPOINT_URL_S3) as botocore does.

    A call that gets no byte for `STALL_S` fails; one that fails in a way that may pass is made `attempts` times,
    in all. Raises BadSettings.
    """
    config = AioConfig(
        connect_timeout=CONNECT_S,
        read_timeout=STALL_S,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Checksums of botocore's own choice are more than some stores speak; we compare a SHA-256 ourselves.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(get_session().create_client("s3", config=config))
        except (botocore.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise BadSettings(f"the settings for S3 make no sense: {_one_line(error)}") from error
        yield client


def code_of(error: Exception) -> str:
    """S3's name for `error`, or empty; a HEAD has no name for it but the status."""
    return str(error.response["Error"]["Code"]) if isinstance(error, botocore.ClientError) else ""


def explain(error: Exception, address: ObjectAddress, permission: str) -> Failure | None:
    """What `error` means for who asked for `address` and needs `permission`; None for what is a bug of ours."""
    if isinstance(error, botocore.ClientError):
        return _refusal(error, address, permission)
    if isinstance(error, botocore.NoCredentialsError):
        mend = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
        return Failure(f"there are no credentials for S3: {mend}", False)
    if isinstance(error, botocore.EndpointConnectionError | botocore.ConnectTimeoutError):
        place = error.kwargs["endpoint_url"].partition("?")[0]
        return Failure(f"cannot connect to {place}: check the network and AWS_ENDPOINT_URL_S3", True)
    if isinstance(error, botocore.ReadTimeoutError):
        return Failure("the transfer stalled", True)
    if isinstance(error, _CONNECTION):
        return Failure(f"the transfer broke off: {_one_line(error)}", not isinstance(error, botocore.SSLError))
    if isinstance(error, botocore.BotoCoreError):
        return Failure(_one_line(error), False)
    return None


def _refusal(error: botocore.ClientError, address: ObjectAddress, permission: str) -> Failure:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in ("NoSuchKey", "404"):
        return Failure(f"no such key: bucket {address.bucket} has no object {address.key}; publish it", False)
    if code == "NoSuchBucket":
        mend = "check its name and AWS_ENDPOINT_URL_S3"
        return Failure(f"no such bucket: there is no {address.bucket}; {mend}", False)
    if code in ("AccessDenied", "403"):
        mend = f"these credentials need {permission} on arn:aws:s3:::{address.bucket}/{address.key}"
        # Without s3:ListBucket, S3 says the same of a key that is missing.
        return Failure(f"access denied: {mend}, or the key is missing", False)
    if code in _NOT_ACCEPTED:
        return Failure(f"S3 does not accept these credentials ({code}): renew them", False)
    return Failure(f"S3 answered {_one_line(error)}", status >= 500 or status == 429 or code in _ASK_LATER)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
