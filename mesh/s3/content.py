"""The content of one small object in S3."""

from __future__ import annotations

from typing import Any

from mesh.errors import Misconfigured
from mesh.s3 import address as s3_address
from mesh.s3.client import explain


async def content_of(client: Any, uri: str) -> bytes:
    """Returns the content of the object at `uri`; raises Misconfigured with the cause and the fix if it cannot."""
    address = s3_address.parse(uri)
    try:
        response = await client.get_object(Bucket=address.bucket, Key=address.key)
        async with response["Body"] as body:
            return bytes(await body.read())
    except Exception as error:
        failure = explain(error, address, "s3:GetObject")
        if failure is None:
            raise
        raise Misconfigured([f"{uri}: {failure.sentence}"]) from error
