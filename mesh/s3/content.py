"""The content of one small object in S3."""

from __future__ import annotations

from typing import Any

from mesh.errors import Misconfigured
from mesh.s3 import address as s3_address
from mesh.s3.client import explain

_CHUNK_BYTES = 2**18


async def content_of(client: Any, uri: str, limit_bytes: int) -> bytes:
    """Returns the content of the object at `uri`.

    Raises Misconfigured with the cause and the fix if it cannot be read, or has more than `limit_bytes`.
    """
    address = s3_address.parse(uri)
    try:
        response = await client.get_object(Bucket=address.bucket, Key=address.key)
        async with response["Body"] as body:
            content = bytearray()
            async for data in body.iter_chunks(_CHUNK_BYTES):
                content += data
                if len(content) > limit_bytes:
                    raise Misconfigured([f"{uri}: is larger than {limit_bytes / 2**20:g} MiB; is it the right object?"])
            return bytes(content)
    except Misconfigured:
        raise
    except Exception as error:
        failure = explain(error, address, "s3:GetObject")
        if failure is None:
            raise
        raise Misconfigured([f"{uri}: {failure.sentence}"]) from error
