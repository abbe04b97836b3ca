"""Downloads one model into the cache: locks its part file, fills it, checks it, and gives it its final name."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mesh.model_file import BadModel
from mesh.s3 import address as s3_address
from mesh.s3.client import BadSettings, connect
from model_worker.s3.fetch_request import FetchRequest
from model_worker.s3.files import has_digest
from model_worker.s3.part import PartFile, try_lock
from model_worker.s3.transfer import Transfer

_LOCK_POLL_S = 0.05


async def fetch(request: FetchRequest) -> Path:
    """Returns the complete file of the model in the cache; raises BadModel if that fails or takes too long."""
    try:
        return await _fetch(request)
    except BadSettings as error:
        raise BadModel(str(error)) from error
    except OSError as error:
        fix = "free some space" if error.errno == errno.ENOSPC else "fix it"
        path = error.filename or request.cache
        raise BadModel(f"{path}: {error.strerror or error}; {fix}, or use another folder (--cache)") from error


async def _fetch(request: FetchRequest) -> Path:
    transfer: Transfer | None = None
    try:
        async with asyncio.timeout(request.budget_s), _locked_part(request) as part:
            if request.sha256 and has_digest(str(path := Path(request.cache, request.sha256)), request.sha256):
                return path  # another worker has fetched it meanwhile
            async with connect() as client:
                transfer = Transfer(client, s3_address.parse(request.uri), part, request.limit_bytes)
                return await _fill(transfer, part, request)
    except TimeoutError:
        failure = transfer.last_failure if transfer else "another worker was still fetching it"
        reason = failure or "the transfer is too slow"
        raise BadModel(f"not fetched within {request.budget_s:g} s (--fetch-s): {reason}") from None


@asynccontextmanager
async def _locked_part(request: FetchRequest) -> AsyncIterator[PartFile]:
    """Waits until no other process writes the part file of the request, and locks it while the block lasts."""
    # Without a known digest, the name is the digest of the URI, so that different objects have different part files.
    name = request.sha256 or hashlib.sha256(request.uri.encode()).hexdigest()
    while (part := try_lock(Path(request.cache, f"{name}.part"))) is None:  # noqa: ASYNC110 (a lock has no event)
        await asyncio.sleep(_LOCK_POLL_S)
    try:
        if request.sha256:
            part.resume()
        else:
            part.restart()  # its content may belong to an earlier version of the object
        yield part
    finally:
        part.close()


async def _fill(transfer: Transfer, part: PartFile, request: FetchRequest) -> Path:
    resumed = part.size_bytes > 0
    await _run(transfer, part)
    if request.sha256 not in (None, part.sha256) and resumed:
        part.restart()  # the content that another process left is not the beginning of this object
        await _run(transfer, part)
    if request.sha256 not in (None, part.sha256):
        part.discard()
        raise BadModel(f"its SHA-256 is {part.sha256}, not {request.sha256}: the object is damaged or wrong")
    path = Path(request.cache, part.sha256)
    part.rename_to(path)
    return path


async def _run(transfer: Transfer, part: PartFile) -> None:
    try:
        await transfer.run()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            part.discard()  # a partial model must not fill the disk
        raise
