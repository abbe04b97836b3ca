"""A sink in S3: each file is one PUT, which S3 shows when it is complete or not at all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from mesh.s3.address import ObjectAddress, parse
from mesh.s3.client import BadSettings, code_of, connect, explain
from supervisor.decisions.writer.sink import ATTEMPT_S, SinkFailed

_EXISTS = ("PreconditionFailed", "412", "ConditionalRequestConflict")
_NO_CONDITIONS = ("NotImplemented", "501")


class S3Sink:
    """Objects below `root`, such as `s3://BUCKET/PREFIX`; it needs only the right s3:PutObject."""

    def __init__(self, root: str, attempt_s: float = ATTEMPT_S) -> None:
        self._root = root.rstrip("/")
        self._attempt_s = attempt_s
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def put(self, path: str, content: bytes | memoryview, *, only_new: bool = False) -> None:
        """Writes an object; a repeated attempt writes the same object again."""
        address = parse(f"{self._root}/{path}")
        try:
            async with asyncio.timeout(self._attempt_s):
                await self._put(address, content, only_new)
        except TimeoutError as error:
            reason = f"{len(content)} bytes take longer than {self._attempt_s:g} s; check the network"
            raise SinkFailed(f"{address}: {reason}") from error
        except BadSettings as error:
            raise SinkFailed(str(error)) from error
        except (ClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
            failure = explain(error, address, "s3:PutObject")
            if failure is None or not failure.transient:
                await self.close()  # a client keeps the credentials that it has found, or that there are none
            raise SinkFailed(f"{address}: {failure.sentence if failure else error}") from error

    async def clean(self) -> int:
        """Has nothing to remove: S3 drops an upload that is not complete."""
        return 0

    async def close(self) -> None:
        """Closes the client; the next `put` opens another one."""
        stack, self._stack, self._client = self._stack, AsyncExitStack(), None
        await stack.aclose()

    async def _put(self, address: ObjectAddress, content: bytes | memoryview, only_new: bool) -> None:
        if self._client is None:
            self._client = await self._stack.enter_async_context(connect())
        request = {"Bucket": address.bucket, "Key": address.key, "Body": bytes(content)}
        if not only_new:
            await self._client.put_object(**request)
            return
        try:
            await self._client.put_object(**request, IfNoneMatch="*")
        except ClientError as error:
            if code_of(error) in _NO_CONDITIONS:  # some compatible stores; the content is the same anyway
                await self._client.put_object(**request)
            elif code_of(error) not in _EXISTS:
                raise
