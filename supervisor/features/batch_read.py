"""At most 100 keys on their way through DynamoDB: asked again while some are unprocessed and there is time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from mesh.errors import Expired, MeshError, Unavailable
from mesh.players.dynamodb.attributes import Item
from mesh.players.dynamodb.client import Reader
from mesh.players.dynamodb.faults import REQUEST_ERRORS, THROTTLED, brief_of, code_of, is_final, told_of
from mesh.players.dynamodb.table import Page, read_page
from mesh.players.settings import DynamoFeatures
from supervisor.features.port import FeatureLog

FIRST_PAUSE_S = 0.002


@dataclass(frozen=True, slots=True)
class Leg:
    """What came of some keys: the items that are there, and the keys of which it cannot be said, each with why.

    `detail` says of a failure what is for operators only; empty without one.
    """

    items: Mapping[str, Item]
    left: Mapping[str, MeshError]
    answered: bool
    detail: str = ""

    @staticmethod
    def joined(legs: Iterable[Leg]) -> Leg:
        """Several legs as one; answered if any was."""
        items: dict[str, Item] = {}
        left: dict[str, MeshError] = {}
        answered, detail = False, ""
        for leg in legs:
            items.update(leg.items)
            left.update(leg.left)
            answered, detail = answered or leg.answered, leg.detail or detail
        return Leg(items, left, answered, detail)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: MeshError
    detail: str
    may_pass: bool


async def ask(reader: Reader, features: DynamoFeatures, keys: Sequence[str], until_s: float, log: FeatureLog) -> Leg:
    """Asks for `keys` until all are answered or the loop's clock says `until_s`. Raises nothing but bugs.

    Pauses between tries grow, with full jitter (M. Brooker, "Exponential Backoff And Jitter"). A request that failed is
    repeated once, unless it was throttled or must fail again: hammering makes neither better.
    """
    items: dict[str, Item] = {}
    left: Sequence[str] = keys
    answered, reached, failed, tries, detail = False, False, False, 0, ""
    failure: MeshError = Unavailable(f"table {features.table!r} did not get to this player in time")
    while left:
        page = await _try(reader, features, left, until_s, log)
        if isinstance(page, Page):
            reached, answered = True, answered or len(page.unprocessed) < len(left)
            items.update(page.items)
            left = page.unprocessed
            if left:
                log.unprocessed(len(left))
        elif failed or not page.may_pass:
            failure = failure if reached else page.error  # a last try cut short is not why the keys are left
            detail = page.detail
            break
        else:
            failed, failure, detail = True, page.error, page.detail
        tries += 1
        pause_s = random.random() * FIRST_PAUSE_S * 2**tries
        if asyncio.get_running_loop().time() + pause_s >= until_s:
            break
        if left:
            await asyncio.sleep(pause_s)
    return Leg(items, dict.fromkeys(left, failure), answered, detail)


async def _try(
    reader: Reader, features: DynamoFeatures, keys: Sequence[str], until_s: float, log: FeatureLog
) -> Page | _Failure:
    try:
        async with asyncio.timeout_at(until_s):
            return await read_page(reader, features, keys)
    except (TimeoutError, ConnectTimeoutError, ReadTimeoutError) as error:
        return _Failure(Expired(brief_of(error, features)), told_of(error, features), may_pass=False)
    except REQUEST_ERRORS as error:
        throttled = code_of(error) in THROTTLED
        if throttled:
            log.throttled()
        may_pass = not throttled and not is_final(error)
        return _Failure(Unavailable(brief_of(error, features)), told_of(error, features), may_pass)
