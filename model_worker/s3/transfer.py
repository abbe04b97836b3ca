"""Downloads an object from S3 into a part file, and retries after failures."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

from mesh.back_off import BackOff
from mesh.model_file import BadModel
from mesh.printable import one_line
from mesh.s3.address import ObjectAddress
from mesh.s3.client import Failure, code_of, explain
from model_worker.s3.part import PartFile

FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
_CHUNK_BYTES = 2**18
_PERMISSION = "s3:GetObject"
_REPLACED = ("PreconditionFailed", "412", "InvalidRange", "416")


class Transfer:
    """The download of one object into `part`; `last_failure` is the last failure as a sentence."""

    def __init__(self, client: Any, address: ObjectAddress, part: PartFile, limit_bytes: int) -> None:
        self._client = client
        self._address = address
        self._part = part
        self._limit_bytes = limit_bytes
        self._etag: str | None = None
        self.last_failure = ""

    async def run(self) -> None:
        """Returns when `part` holds the whole object; raises BadModel for a failure that a retry cannot fix.

        Retries temporary failures without limit: the caller sets a time limit.
        """
        pauses = BackOff(FIRST_PAUSE_S, MAX_PAUSE_S, random.uniform)  # so that many workers do not retry all at once
        while True:
            before_bytes = self._part.size_bytes
            failure = await self._continue()
            if failure is None:
                return
            if not failure.transient:
                raise BadModel(failure.sentence)
            if self._part.size_bytes > before_bytes:
                pauses.reset()
            await self._pause(failure, pauses.next_s())

    async def _continue(self) -> Failure | None:
        """Fetches the missing bytes; returns the failure as a value, or None."""
        try:
            await self._append_rest()
        except Exception as error:
            if code_of(error) in _REPLACED:
                self._part.restart()
                self._etag = None
                return Failure("the object was replaced during the download", True)
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
        response = await self._client.get_object(**place, **more, **same)
        async with response["Body"] as body:
            if start and not response.get("ContentRange", "").startswith(f"bytes {start}-"):
                self._part.restart()  # a store without support for ranges sends everything
            self._etag = response.get("ETag")
            self._check_size(self._part.size_bytes + response.get("ContentLength", 0))
            async for data in body.iter_chunks(_CHUNK_BYTES):
                self._check_size(self._part.size_bytes + len(data))
                self._part.append(data)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._limit_bytes:
            limit = f"{self._limit_bytes // 2**20} MiB (--max-model-mb)"
            raise BadModel(f"it has at least {size_bytes:,} bytes, and the limit is {limit}")

    async def _pause(self, failure: Failure, pause_s: float) -> None:
        self.last_failure = failure.sentence
        progress = f"received {self._part.size_bytes:,} bytes"
        retry = f"retrying in {pause_s:.1f} s"
        sentence = one_line(f"{self._address}: {failure.sentence}; {progress}; {retry}")
        print(f"model_worker: {sentence}", file=sys.stderr)
        await asyncio.sleep(pause_s)
