"""S3 as a file system of pyarrow, with the credentials, region and endpoint that our client finds."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs
from aiobotocore.session import get_session
from botocore import exceptions as botocore

from mesh.errors import Misconfigured, Unavailable
from mesh.s3.address import ObjectAddress
from mesh.s3.client import CONNECT_S, STALL_S, BadSettings, connect, explain

BUDGET_S = 60.0  # for the first request, including the credentials
_ATTEMPTS = 4
_AWS = ".amazonaws.com", ".amazonaws.com.cn"
_PERMISSION = "s3:ListBucket and s3:GetObject"


def open_bucket(address: ObjectAddress) -> pyarrow.fs.FileSystem:
    """Returns a file system whose paths are BUCKET/KEY, after one request for the keys below `address`.

    The credentials are those of now: temporary ones expire. Raises Misconfigured if the settings are invalid or S3
    refuses the request, Unavailable after a transient failure.
    """
    try:
        return pyarrow.fs.S3FileSystem(**asyncio.run(_settings(address)))
    except BadSettings as error:
        raise Misconfigured([str(error)]) from error
    except TimeoutError:
        raise Unavailable(f"{address}: no answer within {BUDGET_S:g} s; check the network") from None
    except (botocore.BotoCoreError, botocore.ClientError) as error:
        failure = explain(error, address, _PERMISSION)
        sentence = f"{address}: {failure.sentence if failure else error}"
        raise (Unavailable(sentence) if failure and failure.transient else Misconfigured([sentence])) from error


async def _settings(address: ObjectAddress) -> dict[str, Any]:
    async with asyncio.timeout(BUDGET_S), connect(_ATTEMPTS) as client:
        listing = await client.list_objects_v2(Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
        keys = await (await get_session().get_credentials()).get_frozen_credentials()
        region = listing["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region") or client.meta.region_name
        return {
            "access_key": keys.access_key,
            "secret_key": keys.secret_key,
            "session_token": keys.token,
            "region": region,
            "connect_timeout": CONNECT_S,
            "request_timeout": STALL_S,
            **_endpoint(client.meta.endpoint_url),
        }


def _endpoint(url: str) -> dict[str, str]:
    """Names an endpoint that is not AWS; that of AWS follows from the region of the bucket."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(_AWS):
        return {}
    return {"scheme": parts.scheme, "endpoint_override": parts.netloc}
