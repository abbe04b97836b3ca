"""Reads at most 100 keys of a DynamoDB table, and requests unprocessed keys again while there is time."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from mesh.back_off import BackOff
from mesh.errors import Expired, MeshError, Unavailable
from mesh.players.dynamodb.attributes import Item
from mesh.players.dynamodb.client import Reader
from mesh.players.dynamodb.errors import REQUEST_ERRORS, THROTTLED, code_of, full_message, is_final, public_message
from mesh.players.dynamodb.table import Page, read_page
from mesh.players.settings import DynamoFeatures
from supervisor.features.port import StoreMetrics

FIRST_PAUSE_S = 0.004


@dataclass(frozen=True, slots=True)
class KeysRead:
    """The items found, by key, and the unread keys, each with its reason; a key in neither has no item.

    `answered` is true if the table answered for at least one key. `detail` describes a failure for operators only;
    empty without a failure.
    """

    items: Mapping[str, Item]
    unread: Mapping[str, MeshError]
    answered: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: MeshError
    detail: str
    may_pass: bool


async def read_batch(
    reader: Reader, features: DynamoFeatures, keys: Sequence[str], until_s: float, metrics: StoreMetrics
) -> KeysRead:
    """Reads `keys` until each has an answer or the clock of the loop reaches `until_s`. Raises nothing but bugs.

    The pauses between requests have full jitter. A failed request is repeated once, unless the table throttles or the
    error is final: more requests would not help.
    """
    items: dict[str, Item] = {}
    unread: Sequence[str] = keys
    answered, reached, failed, detail = False, False, False, ""
    failure: MeshError = Unavailable(f"table {features.table!r} did not process the key of this player in time")
    pauses = BackOff(FIRST_PAUSE_S, math.inf, random.uniform, jitter=1.0)
    while unread:
        page = await _request(reader, features, unread, until_s, metrics)
        if isinstance(page, Page):
            reached, answered = True, answered or len(page.unprocessed) < len(unread)
            items.update(page.items)
            unread = page.unprocessed
            if not unread:
                break
            metrics.unprocessed(len(unread))
        elif failed or not page.may_pass:
            failure = failure if reached else page.error  # after an answer, the keys are unread for an earlier reason
            detail = page.detail
            break
        else:
            failed, failure, detail = True, page.error, page.detail
        pause_s = pauses.next_s()
        if asyncio.get_running_loop().time() + pause_s >= until_s:
            break
        await asyncio.sleep(pause_s)
    return KeysRead(items, dict.fromkeys(unread, failure), answered, detail)


def merged(reads: Iterable[KeysRead]) -> KeysRead:
    """Several batch reads as one; it is answered if one of them is."""
    items: dict[str, Item] = {}
    unread: dict[str, MeshError] = {}
    answered, detail = False, ""
    for read in reads:
        items.update(read.items)
        unread.update(read.unread)
        answered, detail = answered or read.answered, read.detail or detail
    return KeysRead(items, unread, answered, detail)


async def _request(
    reader: Reader, features: DynamoFeatures, keys: Sequence[str], until_s: float, metrics: StoreMetrics
) -> Page | _Failure:
    try:
        async with asyncio.timeout_at(until_s):
            return await read_page(reader, features, keys)
    except (TimeoutError, ConnectTimeoutError, ReadTimeoutError) as error:
        return _Failure(Expired(public_message(error, features)), full_message(error, features), may_pass=False)
    except REQUEST_ERRORS as error:
        throttled = code_of(error) in THROTTLED
        if throttled:
            metrics.throttled()
        may_pass = not throttled and not is_final(error)
        return _Failure(Unavailable(public_message(error, features)), full_message(error, features), may_pass)
