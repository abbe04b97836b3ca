"""Brings an object of S3 into a part file, whatever breaks on the way, as long as there is time."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

from mesh.model_file import BadModel
from mesh.s3.address import ObjectAddress
from mesh.s3.client import Failure, code_of, explain
from model_worker.s3.part import Part

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
_CHUNK_BYTES = 2**18
_PERMISSION = "s3:GetObject"
_NOT_WHAT_WAS_BEGUN = ("PreconditionFailed", "412", "InvalidRange", "416")


class Transfer:
    """The way of one object into `part`; `trouble` is what last went wrong."""

    def __init__(self, client: Any, address: ObjectAddress, part: Part, limit_bytes: int) -> None:
        self._client = client
        self._address = address
        self._part = part
        self._limit_bytes = limit_bytes
        self._etag: str | None = None
        self.trouble = ""

    async def run(self) -> None:
        """Returns when the part holds the whole object; raises BadModel when asking again cannot help.

        Has no end of its own while the store fails in ways that may pass: the caller sets one.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            before_bytes = self._part.size_bytes
            failure = await self._go_on()
            if failure is None:
                return
            if not failure.transient:
                raise BadModel(failure.sentence)
            if self._part.size_bytes > before_bytes:
                pause_s = FIRST_PAUSE_S
            await self._pause(failure, pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _go_on(self) -> Failure | None:
        """Fetches what is missing; what kept it from that, as a value."""
        try:
            await self._append_rest()
        except Exception as error:
            if code_of(error) in _NOT_WHAT_WAS_BEGUN:
                self._part.restart()
                self._etag = None
                return Failure("the object was replaced meanwhile", True)
            failure = explain(error, self._address, _PERMISSION)
            if failure is None:
                raise
            return failure
        return None

    async def _append_rest(self) -> None:
        start = self._part.size_bytes
        place = {"Bucket": self._address.bucket, "Key": self._address.key}
        more = {"Range": f"bytes={start}-"} if start else {}
        same = {"IfMatch": self._etag} if start and self._etag else {}
        answer = await self._client.get_object(**place, **more, **same)
        async with answer["Body"] as body:
            if start and not answer.get("ContentRange", "").startswith(f"bytes {start}-"):
                self._part.restart()  # a store that knows no ranges sends everything
            self._etag = answer.get("ETag")
            self._check_size(self._part.size_bytes + answer.get("ContentLength", 0))
            async for data in body.iter_chunks(_CHUNK_BYTES):
                self._check_size(self._part.size_bytes + len(data))
                self._part.append(data)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._limit_bytes:
            limit = f"{self._limit_bytes // 2**20} MiB (--max-model-mb)"
            raise BadModel(f"it has {size_bytes:,} bytes or more, and the limit is {limit}")

    async def _pause(self, failure: Failure, pause_s: float) -> None:
        self.trouble = failure.sentence
        pause_s *= random.uniform(0.5, 1.0)  # so that fifteen workers do not come back at the same moment
        held = f"{self._part.size_bytes:,} bytes are here"
        print(f"model_worker: {self._address}: {failure.sentence}; {held}; again in {pause_s:.1f} s", file=sys.stderr)
        await asyncio.sleep(pause_s)
