"""The DynamoDB store against a server that fails on demand."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulators.aws import use_credentials
from emulators.fault_process import FaultyDynamoDB, faulty_dynamodb
from emulators.faults import Fault, Kind
from mesh.errors import Expired, MeshError, Misconfigured, Unavailable
from mesh.players.dynamodb.client import Reader
from mesh.players.dynamodb.errors import full_message, public_message
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import SCHEMA_KEY, schema_item
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import DynamoFeatures
from supervisor.features.breaker import FAILURES
from supervisor.features.dynamodb import DynamoStore, open_dynamo_store
from tests.supervisor.counting_metrics import CountingMetrics

pytestmark = pytest.mark.whole_machine  # real time limits

COLUMNS = Columns(("level",), ())
IDS = [f"p{number}" for number in range(250)]
BUDGET_S = 0.5
RECOVERY_S = 2.0


def player(number: int) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<d", number), (), 5.0)


def features(endpoint: str, **more: Any) -> DynamoFeatures:
    settings: dict[str, Any] = {"layout": "attributes", "timeout_ms": BUDGET_S * 1000, **more}
    return DynamoFeatures(store="dynamodb", table="players", region="eu-west-1", endpoint_url=endpoint, **settings)


def items() -> list[dict[str, Any]]:
    layout = layout_of(features("http://x"), COLUMNS)
    written = {SCHEMA_KEY: schema_item(COLUMNS)} | {one: layout.write(player(at)) for at, one in enumerate(IDS)}
    odd: dict[str, Any] = {
        "texted": {"level": {"S": "high"}},
        "flagged": {"level": {"BOOL": True}},
        "never": {"level": {"N": "1"}, "ends": {"N": "0"}},
        "six years ago": {"level": {"N": "1"}, "ends": {"N": str(int(time.time() - 6 * 365.25 * 86_400))}},
        "four years ago": {"level": {"N": "1"}, "ends": {"N": str(int(time.time() - 4 * 365.25 * 86_400))}},
        "past": {"level": {"N": "1"}, "ends": {"N": str(int(time.time()) - 5)}},
        "lasting": {"level": {"N": "1"}, "ends": {"N": str(int(time.time()) + 500)}},
    }
    return [{"player_id": {"S": key}, **item} for key, item in {**written, **odd}.items()]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDynamoDB]:
    use_credentials()
    with faulty_dynamodb(tmp_path_factory.mktemp("faults"), items()) as server:
        yield server


@pytest.fixture
def server(started: FaultyDynamoDB) -> Iterator[FaultyDynamoDB]:
    yield started
    started.set(Fault())


@pytest.fixture
def metrics() -> CountingMetrics:
    return CountingMetrics()


@pytest.fixture
async def store(server: FaultyDynamoDB, metrics: CountingMetrics) -> AsyncIterator[DynamoStore]:
    async with open_dynamo_store(features(server.endpoint, ttl="ends"), metrics) as opened:
        yield opened


async def failure(store: DynamoStore, ids: Sequence[str] = ("p1",)) -> MeshError:
    with pytest.raises(MeshError) as caught:
        await store.read(ids, BUDGET_S)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "kind_of_error"),
    [
        ("throttle", Unavailable),
        ("unprocessed", Unavailable),
        ("error", Unavailable),
        ("bad_json", Unavailable),
        ("bad_crc", Unavailable),
        ("cut", Unavailable),
        ("refuse", Unavailable),
        ("stall", Expired),
        ("trickle", Expired),
        ("slow", Expired),
    ],
)
async def test_each_fault_is_reported_within_the_budget(
    server: FaultyDynamoDB, store: DynamoStore, kind: Kind, kind_of_error: type[MeshError]
) -> None:
    server.set(Fault(kind, delay_ms=5000))
    started_s = time.monotonic()
    error = await failure(store)
    assert time.monotonic() - started_s < BUDGET_S + 0.3
    assert isinstance(error, kind_of_error)
    assert "table 'players'" in error.reason


async def test_unprocessed_keys_are_requested_until_all_are_read(
    server: FaultyDynamoDB, store: DynamoStore, metrics: CountingMetrics
) -> None:
    server.set(Fault("unprocessed", share=0.3))
    batch = await store.read(IDS, BUDGET_S)
    assert batch.players == {one: player(number) for number, one in enumerate(IDS)}
    assert (dict(batch.unread), metrics.left > 0) == ({}, True)


async def test_key_that_stays_unprocessed_is_unread_and_not_unknown(server: FaultyDynamoDB, store: DynamoStore) -> None:
    server.set(Fault("unprocessed", share=0.9))
    batch = await store.read([*IDS, "nobody"], 0.1)
    assert batch.players.keys() | batch.unread.keys() >= set(IDS)
    assert batch.unread
    assert not batch.players.keys() & batch.unread.keys()


async def test_cohort_needs_one_request_and_250_players_need_three(server: FaultyDynamoDB, store: DynamoStore) -> None:
    before = server.counts()["requests"]
    await store.read([*IDS[:50], *IDS[:50]], BUDGET_S)
    assert server.counts()["requests"] - before == 1
    await store.read(IDS, BUDGET_S)
    assert server.counts()["requests"] - before == 4


async def test_throttling_table_gets_few_requests_and_is_used_again_after(
    server: FaultyDynamoDB, store: DynamoStore, metrics: CountingMetrics
) -> None:
    server.set(Fault("throttle"))
    before = server.counts()["requests"]
    for _ in range(50):
        await failure(store)
    assert server.counts()["requests"] - before <= FAILURES + 1
    assert metrics.refused == server.counts()["requests"] - before

    server.set(Fault())
    async with asyncio.timeout(RECOVERY_S):
        while True:
            try:
                batch = await store.read(["p1"], BUDGET_S)
                break
            except Unavailable:
                await asyncio.sleep(0.01)
    assert batch.players == {"p1": player(1)}


async def test_request_is_repeated_once_after_a_transient_error(server: FaultyDynamoDB, store: DynamoStore) -> None:
    server.set(Fault("error"))
    before = server.counts()["requests"]
    await failure(store)
    assert server.counts()["requests"] - before == 2


async def test_wrong_type_affects_only_its_player_and_names_the_feature(store: DynamoStore) -> None:
    batch = await store.read(["texted", "flagged", "p1"], BUDGET_S)
    assert set(batch.players) == {"flagged", "p1"}
    assert str(batch.unread["texted"]) == "player 'texted': 'level' is of type S, but the column is a number"


async def test_item_past_its_ttl_counts_as_deleted(store: DynamoStore) -> None:
    batch = await store.read(["past", "lasting"], BUDGET_S)
    assert (set(batch.players), dict(batch.unread)) == ({"lasting"}, {})


async def test_ttl_of_zero_or_more_than_five_years_ago_never_expires(store: DynamoStore) -> None:
    batch = await store.read(["never", "six years ago", "four years ago"], BUDGET_S)
    assert (set(batch.players), dict(batch.unread)) == ({"never", "six years ago"}, {})


async def test_missing_table_is_reported_at_the_start(server: FaultyDynamoDB, metrics: CountingMetrics) -> None:
    absent = features(server.endpoint).model_copy(update={"table": "absent"})
    with pytest.raises(Misconfigured, match=r"table 'absent' .*ResourceNotFoundException.*create it, or correct"):
        async with open_dynamo_store(absent, metrics):
            pass


async def test_table_without_columns_is_reported_at_the_start(tmp_path: Path, metrics: CountingMetrics) -> None:
    with (
        faulty_dynamodb(tmp_path, [{"player_id": {"S": "p1"}}]) as empty,
        pytest.raises(Misconfigured, match="name the `columns` in the catalog"),
    ):
        async with open_dynamo_store(features(empty.endpoint), metrics):
            pass


async def test_supervisor_starts_without_the_table_if_the_catalog_names_the_columns(
    server: FaultyDynamoDB, metrics: CountingMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    server.set(Fault("refuse"))
    named = features(server.endpoint, columns={"numbers": ["level"]})
    async with open_dynamo_store(named, metrics) as opened:
        assert opened.columns == COLUMNS
        assert "starting without an answer of the table: table 'players'" in caplog.text
        server.set(Fault())
        assert (await opened.read(["p1"], BUDGET_S)).players == {"p1": player(1)}


async def test_missing_profile_is_reported_at_the_start(
    server: FaultyDynamoDB, metrics: CountingMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Misconfigured, match=r"table 'players': .*nobody.*check AWS_PROFILE"):
        async with open_dynamo_store(features(server.endpoint), metrics):
            pass


async def test_first_answer_may_take_longer_than_the_budget_of_a_read(
    server: FaultyDynamoDB, metrics: CountingMetrics
) -> None:
    server.set(Fault("slow", delay_ms=200))
    async with open_dynamo_store(features(server.endpoint, timeout_ms=20.0), metrics) as opened:
        assert opened.columns == COLUMNS


async def test_concurrent_reads_do_not_wait_for_each_other(server: FaultyDynamoDB, store: DynamoStore) -> None:
    server.set(Fault("stall"))
    before = server.counts()["requests"]
    reading = [asyncio.create_task(store.read([one], BUDGET_S)) for one in ("p1", "p2", "p3")]
    async with asyncio.timeout(BUDGET_S):
        while server.counts()["requests"] < before + 3:  # noqa: ASYNC110 (another process counts the requests)
            await asyncio.sleep(0.01)
    assert not any(task.done() for task in reading)
    await asyncio.gather(*reading, return_exceptions=True)


async def test_columns_are_read_again_periodically(store: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[Any] = []
    batch_get = Reader.batch_get

    async def record(reader: Reader, request: Any) -> bytes:
        requests.append(request["RequestItems"]["players"])
        return await batch_get(reader, request)

    monkeypatch.setattr(Reader, "batch_get", record)
    await store.read(["p1"], BUDGET_S)
    store._columns_due_s = 0.0
    await store.read(["p1"], BUDGET_S)
    await store.read(["p1"], BUDGET_S)
    assert [len(one["Keys"]) for one in requests] == [1, 2, 1]
    assert [one.get("ConsistentRead", False) for one in requests] == [False] * 3


async def test_consistent_reads_are_requested(
    server: FaultyDynamoDB, metrics: CountingMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Any] = []

    async def answer(_: Reader, request: Any) -> bytes:
        requests.append(request["RequestItems"]["players"]["ConsistentRead"])
        return b'{"Responses": {"players": []}, "UnprocessedKeys": {}}'

    monkeypatch.setattr(Reader, "batch_get", answer)
    named = features(server.endpoint, consistent=True, columns={"numbers": ["level"]})
    async with open_dynamo_store(named, metrics) as opened:
        await opened.read(["p1"], BUDGET_S)
    assert requests == [True, True]


def test_error_for_callers_has_no_accounts_and_signatures() -> None:
    message = {"Message": "arn:aws:iam::123456789012:role/mesh is not\n authorized"}
    denied = ClientError({"Error": {"Code": "AccessDeniedException", **message}}, "BatchGetItem")
    quoted = ClientError({"Error": {"Code": "InvalidSignatureException", **message}}, "BatchGetItem")
    block = features("http://x")
    assert public_message(denied, block) == "table 'players': AccessDeniedException"
    assert "role/mesh is not authorized; allow dynamodb:BatchGetItem" in full_message(denied, block)
    assert "role/mesh" not in full_message(quoted, block)


async def test_store_works_after_a_cancelled_read(server: FaultyDynamoDB, store: DynamoStore) -> None:
    server.set(Fault("stall"))
    before = server.counts()["requests"]
    reading = asyncio.create_task(store.read(["p1"], BUDGET_S))
    while server.counts()["requests"] == before:  # noqa: ASYNC110 (another process counts the requests)
        await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    server.set(Fault())
    assert (await store.read(["p1"], BUDGET_S)).players == {"p1": player(1)}
