"""CPU of this process per key: our reads in each layout and plain aiobotocore, in turn."""

from __future__ import annotations

import statistics
import struct
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from emulators.aws import CREDENTIALS
from loadtest.errors import CannotMeasure
from loadtest.micro.features.table import TABLE, block, serving_table
from mesh.errors import MeshError
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures, LayoutName
from supervisor.features.dynamodb import open_dynamo_store

NUMBERS = 80
KEYS = 20
CALLS, WARM_UP = 200, 20
PATIENCE_S = 5.0

Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class KeyCost:
    """CPU per key in microseconds, medians of rounds; `get_item` is one call for one key."""

    ours_us: float
    batch_get_item_us: float
    get_item_us: float


def measure_cpu(rounds: int, folder: Path, progress: Callable[[str], None]) -> Mapping[str, KeyCost]:
    """The cost in each layout: `KEYS` players of `NUMBERS` numbers per read."""
    columns = Columns(tuple(f"f{number:02d}" for number in range(NUMBERS)), ())
    players = dict(_players())
    found: dict[str, KeyCost] = {}
    for layout in get_args(LayoutName):
        progress(f"CPU per key, layout {layout}")
        with serving_table(folder, layout, columns, players.items()) as table:
            features = DynamoFeatures.model_validate(block(layout, columns, table.endpoint))
            found[layout] = uvloop.run(_measure(features, columns, list(players), rounds))
    return found


def _players() -> Sequence[tuple[str, PlayerFeatures]]:
    drawn = np.random.default_rng(1).normal(scale=100, size=(KEYS, NUMBERS))
    return [
        (f"player-{row:05d}", PlayerFeatures(struct.pack(f"<{NUMBERS}d", *numbers), (), 1.7e9))
        for row, numbers in enumerate(drawn.tolist())
    ]


async def _measure(features: DynamoFeatures, columns: Columns, players: Sequence[str], rounds: int) -> KeyCost:
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1})
    layout = layout_of(features, columns)
    keys = [{features.hash_key: {"S": layout.key(player)}} for player in players]
    async with (
        open_dynamo_store(features, _NoLog()) as store,
        get_session().create_client(
            "dynamodb", endpoint_url=features.endpoint_url, config=config, **CREDENTIALS
        ) as plain,
    ):
        batch = await store.read(players, PATIENCE_S)
        if len(batch.players) != len(players):
            reason = f"layout {features.layout}: the store returned {len(batch.players)} of {len(players)} players"
            raise CannotMeasure(reason)
        calls: Mapping[str, tuple[Call, int]] = {
            "ours_us": (lambda: store.read(players, PATIENCE_S), len(keys)),
            "batch_get_item_us": (lambda: plain.batch_get_item(RequestItems={TABLE: {"Keys": keys}}), len(keys)),
            "get_item_us": (lambda: plain.get_item(TableName=TABLE, Key=keys[0]), 1),
        }
        costs: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, (call, count) in calls.items():
                costs[name].append(await _cost_us(call) / count)
    return KeyCost(**{name: statistics.median(cost) for name, cost in costs.items()})


async def _cost_us(call: Call) -> float:
    for _ in range(WARM_UP):
        await call()
    started_s = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - started_s) / CALLS * 1e6


class _NoLog:
    """Ignores everything."""

    def served(self, hits: int, stale: int, unread: int) -> None: ...

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None: ...

    def unprocessed(self, keys: int) -> None: ...

    def throttled(self) -> None: ...
