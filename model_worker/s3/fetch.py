"""Fetches one model into the cache: takes its part file, fills it, checks it and gives it its final name."""

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
from model_worker.s3.files import is_whole
from model_worker.s3.order import Order
from model_worker.s3.part import Part, try_take
from model_worker.s3.transfer import Transfer

_LOOK_AGAIN_S = 0.05


async def fetch(order: Order) -> Path:
    """The file of the model in the cache, whole; raises BadModel with the reason when it cannot be had in time."""
    try:
        return await _fetch(order)
    except BadSettings as error:
        raise BadModel(str(error)) from error
    except OSError as error:
        mend = "free some, or" if error.errno == errno.ENOSPC else "mend that, or"
        where = error.filename or order.cache
        raise BadModel(f"{where}: {error.strerror or error}; {mend} name another folder (--cache)") from error


async def _fetch(order: Order) -> Path:
    transfer: Transfer | None = None
    try:
        async with asyncio.timeout(order.budget_s), _own_part(order) as part:
            if order.sha256 and is_whole(str(held := Path(order.cache, order.sha256)), order.sha256):
                return held  # another worker was quicker
            async with connect() as client:
                transfer = Transfer(client, s3_address.parse(order.uri), part, order.limit_bytes)
                return await _fill(transfer, part, order)
    except TimeoutError:
        trouble = transfer.trouble if transfer else "another worker was still fetching it"
        why = trouble or "the transfer is too slow"
        raise BadModel(f"not fetched within {order.budget_s:g} s (--fetch-s): {why}") from None


@asynccontextmanager
async def _own_part(order: Order) -> AsyncIterator[Part]:
    """The part file for the order, once no other process writes it."""
    # Without a digest to come, the name only keeps apart what is fetched from different places.
    name = order.sha256 or hashlib.sha256(order.uri.encode()).hexdigest()
    while (part := try_take(Path(order.cache, f"{name}.part"))) is None:  # noqa: ASYNC110 (a lock has no event)
        await asyncio.sleep(_LOOK_AGAIN_S)
    try:
        if order.sha256:
            part.resume()
        else:
            part.restart()  # nobody knows whether what is left there is of the same object
        yield part
    finally:
        part.close()


async def _fill(transfer: Transfer, part: Part, order: Order) -> Path:
    resumed = part.size_bytes > 0
    await _run(transfer, part)
    if order.sha256 not in (None, part.sha256) and resumed:
        part.restart()  # what another process left was not the beginning of this
        await _run(transfer, part)
    if order.sha256 not in (None, part.sha256):
        part.discard()
        raise BadModel(f"its SHA-256 is {part.sha256}, not {order.sha256}: the object is damaged, or another one")
    path = Path(order.cache, part.sha256)
    part.keep_as(path)
    return path


async def _run(transfer: Transfer, part: Part) -> None:
    try:
        await transfer.run()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            part.discard()  # half a model must not keep the disk full
        raise
