"""Player features: the cache, and the contract of the store port for the SQLite store and for the fake."""

from __future__ import annotations

import asyncio
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.errors import Expired, MeshError, Misconfigured, Unavailable
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from supervisor.features.cache import FeatureCache
from supervisor.features.port import FeatureStore, StoreRead
from supervisor.features.sqlite import SqliteStore
from tests.supervisor.counting_metrics import CountingMetrics

COLUMNS = Columns(("level", "spend"), ("country",))
LONG_S = 20.0


def player(level: float, country: str | None = "DE") -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", level, 0.5), (country,), 1_700_000_000.25)


PLAYERS = {"p1": player(1), "p2": player(2, None), "wéird 'id\"": player(3)}


class FakeStore:
    """A store in memory that fails and waits on demand."""

    def __init__(self, players: Mapping[str, PlayerFeatures], columns: Columns = COLUMNS) -> None:
        self.columns = columns
        self.players = dict(players)
        self.reads: list[list[str]] = []
        self.failure: MeshError | None = None
        self.left: dict[str, MeshError] = {}
        self.gate: asyncio.Event | None = None
        self._closed = False

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> StoreRead:
        self.reads.append(sorted(player_ids))
        left = {one: self.left[one] for one in player_ids if one in self.left}
        found = {one: self.players[one] for one in player_ids if one in self.players and one not in left}
        batch = StoreRead(self.columns, found, left)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(0)
                if self.gate is not None:
                    await self.gate.wait()
        except TimeoutError:
            raise Expired("too slow") from None
        if self.failure is not None:
            raise self.failure
        return batch

    async def close(self) -> None:
        self._closed = True


def fill(path: Path, players: Mapping[str, PlayerFeatures], columns: Columns = COLUMNS) -> None:
    with replacing_store(path, columns) as connection:
        write_players(connection, players.items())


@pytest.fixture(params=["fake", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FeatureStore]:
    opened: FeatureStore
    if request.param == "fake":
        opened = FakeStore(PLAYERS)
    else:
        fill(tmp_path / "players.sqlite", PLAYERS)
        opened = SqliteStore(tmp_path / "players.sqlite")
    yield opened
    await opened.close()


async def test_store_reads_many_players_at_once(store: FeatureStore) -> None:
    batch = await store.read(list(PLAYERS), LONG_S)
    assert (batch.players, batch.columns, store.columns) == (PLAYERS, COLUMNS, COLUMNS)


async def test_store_leaves_out_unknown_players(store: FeatureStore) -> None:
    assert (await store.read(["nobody", "p1"], LONG_S)).players == {"p1": PLAYERS["p1"]}


async def test_store_reads_an_empty_list(store: FeatureStore) -> None:
    assert (await store.read([], LONG_S)).players == {}


async def test_store_works_after_a_cancelled_read(store: FeatureStore) -> None:
    reading = asyncio.create_task(store.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await store.read(["p1"], LONG_S)).players == {"p1": PLAYERS["p1"]}


async def test_store_serves_concurrent_reads(store: FeatureStore) -> None:
    batches = await asyncio.gather(*(store.read([one], LONG_S) for one in PLAYERS))
    assert [batch.players for batch in batches] == [{one: PLAYERS[one]} for one in PLAYERS]


@pytest.fixture
async def sqlite_file(tmp_path: Path) -> AsyncIterator[tuple[Path, SqliteStore]]:
    path = tmp_path / "players.sqlite"
    fill(path, PLAYERS)
    opened = SqliteStore(path)
    yield path, opened
    await opened.close()


async def test_file_that_replaces_the_store_is_read(sqlite_file: tuple[Path, SqliteStore]) -> None:
    path, store = sqlite_file
    await store.read(["p1"], LONG_S)
    turned = Columns(("age",), ())
    fresh = PlayerFeatures(struct.pack("<d", 44), (), 2.0)
    fill(path, {"p1": fresh}, turned)
    batch = await store.read(["p1", "p2"], LONG_S)
    assert (batch.columns, batch.players, store.columns) == (turned, {"p1": fresh}, turned)


async def test_store_is_unavailable_while_the_file_is_not_a_store(
    sqlite_file: tuple[Path, SqliteStore],
) -> None:
    path, store = sqlite_file
    (path.parent / "garbage").write_bytes(b"garbage" * 100)
    (path.parent / "garbage").replace(path)
    with pytest.raises(Unavailable):
        await store.read(["p1"], LONG_S)
    fill(path, PLAYERS)
    assert (await store.read(["p1"], LONG_S)).players == {"p1": PLAYERS["p1"]}


async def test_store_is_unavailable_without_the_file(sqlite_file: tuple[Path, SqliteStore]) -> None:
    path, store = sqlite_file
    path.unlink()
    with pytest.raises(Unavailable):
        await store.read(["p1"], LONG_S)


async def test_read_of_a_locked_file_expires_and_the_store_works_after(sqlite_file: tuple[Path, SqliteStore]) -> None:
    path, store = sqlite_file
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Expired, match="20 ms"):
        await store.read(["p1"], 0.02)
    writer.execute("ROLLBACK")
    writer.close()
    assert (await store.read(["p1"], LONG_S)).players == {"p1": PLAYERS["p1"]}


async def test_query_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "players.sqlite"
    fill(path, PLAYERS)
    store = SqliteStore(path)
    _make_endless(store)
    with pytest.raises(Expired):
        await store.read(["p1"], 0.05)
    await asyncio.wait_for(store.close(), LONG_S)  # hangs if the query is still running


def _make_endless(store: SqliteStore) -> None:
    # A temporary view shadows the table for this connection only; a query of it does not end.
    store._connection.executescript(
        "CREATE TEMP VIEW players AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT CAST(i AS TEXT) || 'x' AS player_id, x'' AS numbers, '' AS texts, 0.0 AS written_at FROM n;"
    )


async def test_expired_read_does_not_interrupt_another_read(tmp_path: Path) -> None:
    path = tmp_path / "players.sqlite"
    fill(path, PLAYERS)
    store = SqliteStore(path)
    _make_endless(store)
    try:
        patient = asyncio.create_task(store.read(["p1"], 1.0))
        await asyncio.sleep(0)
        with pytest.raises(Expired):
            await store.read(["p1"], 0.05)
        with pytest.raises(Expired):
            await patient
    finally:
        await asyncio.wait_for(store.close(), LONG_S)


def test_file_that_is_not_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 100)
    for name in ("garbage", "missing"):
        with pytest.raises(Misconfigured, match="mesh features load"):
            SqliteStore(tmp_path / name)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def cache_of(
    store: FakeStore,
    clock: Callable[[], float],
    ttl_s: float = 5.0,
    max_players: int = 100,
    stale_ok_s: float | None = None,
    metrics: CountingMetrics | None = None,
) -> FeatureCache:
    return FeatureCache(
        store,
        ttl_s=ttl_s,
        max_players=max_players,
        timeout_s=LONG_S,
        clock=clock,
        metrics=metrics or CountingMetrics(),
        stale_ok_s=stale_ok_s,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> FakeStore:
    return FakeStore(PLAYERS)


async def test_players_are_in_the_requested_order_and_unknown_ones_are_none(fake: FakeStore, clock: Clock) -> None:
    read = await cache_of(fake, clock).read(["p2", "nobody", "p1", "p2"], LONG_S)
    assert read.players == (PLAYERS["p2"], None, PLAYERS["p1"], PLAYERS["p2"])
    assert (set(read.stale), dict(read.unread)) == (set(), {})


async def test_read_requests_each_player_once(fake: FakeStore, clock: Clock) -> None:
    await cache_of(fake, clock).read(["p2", "p1", "p2"], LONG_S)
    assert fake.reads == [["p1", "p2"]]


async def test_fresh_player_is_not_read_again(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    clock.now_s += 4.9
    assert (await cache.read(["p1"], LONG_S)).players == (PLAYERS["p1"],)
    await cache.read(["p1", "p2"], LONG_S)
    assert fake.reads == [["p1"], ["p2"]]


async def test_unknown_player_is_not_read_again_while_fresh(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    for _ in range(2):
        assert (await cache.read(["nobody"], LONG_S)).players == (None,)
    assert len(fake.reads) == 1


async def test_player_is_read_again_after_the_ttl(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    fake.players["p1"] = player(9)
    clock.now_s += 5.0
    assert (await cache.read(["p1"], LONG_S)).players == (player(9),)


async def test_every_read_goes_to_the_store_without_a_ttl(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock, ttl_s=0)
    for _ in range(3):
        await cache.read(["p1"], LONG_S)
    assert len(fake.reads) == 3


async def test_number_of_kept_players_is_bounded(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock, max_players=2)
    for one in ("p1", "p2", "nobody"):
        await cache.read([one], LONG_S)
    fake.reads.clear()
    await cache.read(["p2", "nobody"], LONG_S)
    assert fake.reads == []
    await cache.read(["p1"], LONG_S)
    assert fake.reads == [["p1"]]


async def test_least_recently_used_player_is_evicted_first(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock, max_players=2)
    for one in ("p1", "p2", "p1", "nobody"):
        await cache.read([one], LONG_S)
    fake.reads.clear()
    await cache.read(["p1"], LONG_S)
    assert fake.reads == []


@pytest.mark.parametrize("max_players", [0, 1])
async def test_cohort_larger_than_the_cache_is_complete(fake: FakeStore, clock: Clock, max_players: int) -> None:
    read = await cache_of(fake, clock, max_players=max_players).read(["p1", "p2"], LONG_S)
    assert read.players == (PLAYERS["p1"], PLAYERS["p2"])


async def test_failing_store_leads_to_stale_and_unread_players(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    clock.now_s += 3600
    fake.failure = Unavailable("gone")
    read = await cache.read(["p2", "p1", "nobody"], LONG_S)
    assert read.players == (None, PLAYERS["p1"], None)
    assert (set(read.stale), dict(read.unread)) == ({1}, {0: fake.failure, 2: fake.failure})


async def test_formerly_unknown_player_is_unread_when_the_store_fails_later(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["nobody"], LONG_S)
    fake.failure = Unavailable("gone")
    assert not (await cache.read(["nobody"], LONG_S)).unread
    clock.now_s += 3600  # the player may have signed up since
    read = await cache.read(["nobody"], LONG_S)
    assert (read.players, dict(read.unread)) == ((None,), {0: fake.failure})


async def test_expired_player_is_neither_fresh_nor_stale(fake: FakeStore, clock: Clock) -> None:
    ended = replace(PLAYERS["p1"], ends_at_s=time.time() + 0.05)
    cache, fake.players = cache_of(fake, clock), {"p1": ended}
    assert (await cache.read(["p1"], LONG_S)).players == (ended,)
    fake.failure = Unavailable("gone")
    while not ended.has_ended(time.time()):  # noqa: ASYNC110 (time has no event)
        await asyncio.sleep(0.01)
    assert dict((await cache.read(["p1"], LONG_S)).unread) == {0: fake.failure}


class ExpiringOnce(FakeStore):
    async def read(self, player_ids: Sequence[str], timeout_s: float) -> StoreRead:
        batch = await super().read(player_ids, timeout_s)
        if len(self.reads) == 1:
            raise Expired("too slow")
        return batch


async def test_reader_that_joined_an_expiring_read_reads_again(clock: Clock) -> None:
    fake = ExpiringOnce(PLAYERS)
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    first = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    fake.gate.set()
    assert isinstance((await first).unread[0], Expired)
    assert (await second).players == (PLAYERS["p1"],)
    assert len(fake.reads) == 2


async def test_failed_read_does_not_make_a_player_unknown(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    fake.failure = Unavailable("gone")
    await cache.read(["p1"], LONG_S)
    fake.failure = None
    assert (await cache.read(["p1"], LONG_S)).players == (PLAYERS["p1"],)


async def test_read_takes_no_longer_than_the_budget(fake: FakeStore, clock: Clock) -> None:
    fake.gate = asyncio.Event()
    read = await asyncio.wait_for(cache_of(fake, clock).read(["p1"], 0.01), LONG_S)
    assert isinstance(read.unread[0], Expired)


async def test_cohorts_with_the_same_player_share_the_read(fake: FakeStore, clock: Clock) -> None:
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    first = asyncio.create_task(cache.read(["p1", "p2"], LONG_S))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.read(["p2", "nobody"], LONG_S))
    for _ in range(5):
        await asyncio.sleep(0)
    fake.gate.set()

    assert (await first).players == (PLAYERS["p1"], PLAYERS["p2"])
    assert (await second).players == (PLAYERS["p2"], None)
    assert fake.reads == [["p1", "p2"], ["nobody"]]


async def test_cancelled_reader_does_not_cancel_the_others(fake: FakeStore, clock: Clock) -> None:
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    first = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    first.cancel()
    fake.gate.set()

    assert (await second).players == (PLAYERS["p1"],)
    assert len(fake.reads) == 1


async def test_result_after_the_budget_is_kept_for_the_next_read(fake: FakeStore, clock: Clock) -> None:
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    assert isinstance((await cache.read(["p1"], 0.01)).unread[0], Expired)
    fake.gate.set()

    assert (await cache.read(["p1"], LONG_S)).players == (PLAYERS["p1"],)
    assert len(fake.reads) == 1


async def test_closed_cache_has_no_running_read(fake: FakeStore, clock: Clock) -> None:
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    reading = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cache.close()

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "features"]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize(("age_s", "stale", "unread"), [(59, {0}, set()), (60, set(), {0})])
async def test_entry_older_than_the_stale_limit_is_unread(
    fake: FakeStore, clock: Clock, age_s: float, stale: set[int], unread: set[int]
) -> None:
    cache = cache_of(fake, clock, stale_ok_s=60)
    await cache.read(["p1"], LONG_S)
    clock.now_s += age_s
    fake.failure = Unavailable("gone")
    read = await cache.read(["p1"], LONG_S)
    assert (set(read.stale), set(read.unread)) == (stale, unread)


async def test_unread_player_of_a_batch_is_stale_or_unread_and_never_unknown(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    clock.now_s += 10
    fake.players["p3"] = player(3)
    fake.left = {"p1": Unavailable("left"), "p2": Unavailable("left")}
    read = await cache.read(["p1", "p2", "p3"], LONG_S)
    assert read.players == (PLAYERS["p1"], None, player(3))
    assert (set(read.stale), dict(read.unread)) == ({0}, {1: fake.left["p2"]})

    fake.left = {}
    assert (await cache.read(["p2"], LONG_S)).players == (PLAYERS["p2"],)


async def test_hits_and_stale_and_unread_players_are_counted(fake: FakeStore, clock: Clock) -> None:
    metrics = CountingMetrics()
    cache = cache_of(fake, clock, metrics=metrics)
    await cache.read(["p1", "p2"], LONG_S)
    await cache.read(["p1", "p1"], LONG_S)
    clock.now_s += 10
    fake.failure = Unavailable("gone")
    await cache.read(["p1", "nobody"], LONG_S)
    assert (metrics.hits, metrics.stale, metrics.unread) == (2, 1, 1)
    assert (metrics.reads, metrics.failures) == ([2, 2], [fake.failure])


TURNED = Columns(("spend", "level"), ("country",))


def turned(level: float) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<2d", 0.5, level), ("DE",), 5.0)


async def test_changed_columns_apply_to_all_players_at_once(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    fake.columns, fake.players = TURNED, {"p1": turned(1), "p2": turned(2)}
    read = await cache.read(["p1", "p2"], LONG_S)
    assert (read.columns, read.players) == (TURNED, (turned(1), turned(2)))


async def test_columns_that_change_between_two_running_reads_do_not_mix(fake: FakeStore, clock: Clock) -> None:
    cache = cache_of(fake, clock)
    await cache.read(["p1"], LONG_S)
    fake.columns, fake.players = TURNED, {"p1": turned(1), "p2": turned(2), "p3": turned(3)}
    fake.gate = asyncio.Event()
    first = asyncio.create_task(cache.read(["p2"], LONG_S))
    second = asyncio.create_task(cache.read(["p1", "p3"], LONG_S))  # p1 is fresh, with the old columns
    for _ in range(5):
        await asyncio.sleep(0)
    fake.gate.set()
    await first
    read = await second
    assert (read.columns, read.players) == (TURNED, (turned(1), turned(3)))


async def test_cache_works_after_a_cancelled_read(fake: FakeStore, clock: Clock) -> None:
    cache, fake.gate = cache_of(fake, clock), asyncio.Event()
    reading = asyncio.create_task(cache.read(["p1"], LONG_S))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    fake.gate.set()
    assert (await cache.read(["p1"], LONG_S)).players == (PLAYERS["p1"],)
