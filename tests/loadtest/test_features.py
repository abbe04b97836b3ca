"""The benchmark of the player stores: shares, aims, the table that it serves, and its report."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from emulators.faults import Fault
from loadtest.measurement.latency import Level
from loadtest.micro.features.command import cpu_aims, report, share_aims
from loadtest.micro.features.cpu import KeyCost
from loadtest.micro.features.table import block, serving_table
from loadtest.micro.features.throughput import CALLERS, STORES, StoreLevel, Throughput
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures
from supervisor.features.dynamodb import open_dynamo_store
from tests.supervisor.counting_metrics import CountingMetrics

COLUMNS = Columns(("level",), ())


def at(rps: float) -> StoreLevel:
    return StoreLevel(Level(rps, 1.0, 2.0, 3.0), 500.0)


def test_share_is_the_rate_of_dynamodb_over_sqlite_by_load_and_at_the_best() -> None:
    rps = {"sqlite": (50, 100, 80), "dynamodb": (60, 50, 90)}
    found = Throughput(0.0, {store: dict(zip(CALLERS, map(at, rps[store]), strict=True)) for store in STORES})
    assert [found.share(callers) for callers in CALLERS] == [1.2, 0.5, 1.125]
    assert found.best_share == 0.9
    assert [aim.met for aim in share_aims([found])] == [True]


def test_packed_and_attributes_have_aims() -> None:
    aims = cpu_aims({"packed": KeyCost(61, 100, 1000), "attributes": KeyCost(249, 100, 1000)})
    assert [(aim.bound, aim.met) for aim in aims] == [(60, False), (250, True)]


async def test_table_holds_the_players_and_the_later_players_on_request(tmp_path: Path) -> None:
    first, later = ([("p", PlayerFeatures(struct.pack("<d", level), (), 1.0))] for level in (1, 2))
    with serving_table(tmp_path, "packed", COLUMNS, first, later) as table:
        features = DynamoFeatures.model_validate(block("packed", COLUMNS, table.endpoint))
        async with open_dynamo_store(features, CountingMetrics()) as store:
            assert (await store.read(["p"], 5)).players == dict(first)
            table.set(Fault(later=True))
            assert (await store.read(["p"], 5)).players == dict(later)


def test_document_has_the_agreed_keys() -> None:
    levels = {store: dict.fromkeys(CALLERS, at(50)) for store in STORES}
    document: Any = report({"packed": KeyCost(50, 100, 1000)}, [Throughput(5.0, levels)]).document
    assert document["cpu"] == {"packed": {"ours_us": 50, "batch_get_item_us": 100, "get_item_us": 1000}}
    (w15,) = document["w15"]
    assert set(w15) == {"cache_ttl_s", "levels"}
    assert set(w15["levels"]["dynamodb"][64]) == {"level", "supervisor_cpu_us"}
